"""A mitmproxy script: one of the provider's regional hosts refuses connections, another one takes them and is silent."""

import socket

from mitmproxy.proxy.server_hooks import ServerConnectionHookData

CLOSED = "closed.chatgpt.com"
MUTE = "mute.chatgpt.com"


class Mute:
    """Listens, and never looks who is there."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=100)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        if data.server.sni == MUTE:
            data.server.address = self.listening.getsockname()
        elif data.server.sni == CLOSED:
            data.server.error = "refused"

    def done(self) -> None:
        self.listening.close()


addons = [Mute()]
