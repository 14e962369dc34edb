"""A message of a WebSocket that would fill the memory closes the socket; all others are read."""

import tracemalloc

import pytest
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import CloseConnection, Event, Message, Ping
from wsproto.extensions import PerMessageDeflate

from addons.attempts.patches.bounded_messages import bound_messages
from config.decoding import FREE


@pytest.fixture(autouse=True)
def bounded() -> None:
    bound_messages()
    bound_messages()  # once more is nothing


def deflate() -> PerMessageDeflate:
    made = PerMessageDeflate()
    made.finalize("permessage-deflate")
    return made


class Pair:
    """Two sides of a socket."""

    def __init__(self) -> None:
        self.client = Connection(ConnectionType.CLIENT, [deflate()])
        self.server = Connection(ConnectionType.SERVER, [deflate()])

    def sent(self, *said: Event, size: int = 65_535) -> list[Event]:
        """What the client gets of what the server says, in pieces of this size."""
        wire = b"".join(self.server.send(each) for each in said)
        found: list[Event] = []
        for at in range(0, len(wire), size):
            self.client.receive_data(wire[at : at + size])
            found += self.client.events()
        return found


def test_a_message_that_swells_closes_the_socket_and_costs_little() -> None:
    pair = Pair()
    bomb = Message(data=bytes(64 << 20))
    wire = pair.server.send(bomb)
    tracemalloc.start()
    pair.client.receive_data(wire)
    found = list(pair.client.events())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found[-1], CloseConnection)
    assert found[-1].code == 1009
    assert most < 40 << 20


def test_a_message_may_not_swell_in_many_frames_either() -> None:
    parts = [Message(data=bytes(FREE // 4), message_finished=False) for _ in range(8)]
    found = Pair().sent(*parts)
    assert isinstance(found[-1], CloseConnection)


@pytest.mark.parametrize("size", [1, 100, 65_535])
def test_ordinary_messages_are_read_whatever_comes_between(size: int) -> None:
    said = [Message(data="one"), Ping(payload=b"?"), Message(data="two" * 100), Message(data=b"three")]
    found = Pair().sent(*said, size=size)
    assert "".join(each.data for each in found if isinstance(each, Message) and isinstance(each.data, str)) == (
        "one" + "two" * 100
    )
    assert not any(isinstance(each, CloseConnection) for each in found)


def test_each_message_has_the_whole_room() -> None:
    found = Pair().sent(*(Message(data=bytes(FREE // 2)) for _ in range(8)))
    assert sum(len(each.data) for each in found if isinstance(each, Message)) == FREE * 4
