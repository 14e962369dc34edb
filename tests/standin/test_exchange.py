"""What every exchange has in common."""

import pytest

from standin.exchange import Exchange
from standin.records import Headers, Incoming
from standin.replies import Reply


class Heard(Exchange):
    """An exchange that only remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(
            Incoming(method="GET", host="", path="/", headers=(), http_version="2", connection=1, secure=True)
        )
        self.heard: list[object] = []

    async def start(self, status: int, headers: Headers) -> None:
        self.heard.append((status, dict(headers)))

    async def send(self, data: bytes) -> None:
        self.heard.append(data)

    async def end(self) -> None:
        self.heard.append("end")

    def reset(self) -> None:
        self.heard.append("reset")

    async def close(self) -> None:
        self.heard.append("close")

    async def go_away(self) -> None:
        self.heard.append("goaway")


async def test_a_whole_answer() -> None:
    """Head with the length, body, end; no empty piece."""
    exchange = Heard()
    await exchange.reply(Reply(200, (("a", "b"),), b"xyz"))
    await exchange.reply(Reply(429))
    assert exchange.heard == [
        (200, {"a": "b", "content-length": "3"}),
        b"xyz",
        "end",
        (429, {"content-length": "0"}),
        "end",
    ]


async def test_not_every_exchange_can_become_a_websocket() -> None:
    """HTTP/2 cannot."""
    with pytest.raises(TypeError):
        await Heard().accept(())
