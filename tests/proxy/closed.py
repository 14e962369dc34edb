"""A mitmproxy script: one of the provider's regional hosts refuses connections."""

from mitmproxy.proxy.server_hooks import ServerConnectionHookData

CLOSED = "closed.chatgpt.com"


def server_connect(data: ServerConnectionHookData) -> None:
    if data.server.sni == CLOSED:
        data.server.error = "refused"
