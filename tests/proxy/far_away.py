"""A mitmproxy script: every server counts as one on another machine."""

from mitmproxy.proxy.server_hooks import ServerConnectionHookData


def server_connected(data: ServerConnectionHookData) -> None:
    data.server.peername = ("203.0.113.9", 443)
