"""A mitmproxy script: some of the provider's regional hosts do not get as far as TLS."""

import asyncio

from mitmproxy.proxy.server_hooks import ServerConnectionHookData

REFUSING = "refusing.chatgpt.com"
MUTE = "mute.chatgpt.com"
LEAVING = "leaving.chatgpt.com"
WITHOUT_TLS = "without-tls.chatgpt.com"


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing until the other side has left."""
    await reader.read(-1)
    writer.close()


async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def answer_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    writer.close()


class OddHosts:
    """Stands in the place of each of them."""

    def __init__(self) -> None:
        self.addresses: dict[str, tuple[str, int]] = {}

    async def running(self) -> None:
        for host, handler in ((MUTE, mute), (LEAVING, leave), (WITHOUT_TLS, answer_plainly)):
            server = await asyncio.start_server(handler, "127.0.0.1")
            self.addresses[host] = server.sockets[0].getsockname()

    def server_connect(self, data: ServerConnectionHookData) -> None:
        if data.server.sni == REFUSING:
            data.server.error = "refused"
        elif data.server.sni in self.addresses:
            data.server.address = self.addresses[data.server.sni]


addons = [OddHosts()]
