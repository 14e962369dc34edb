"""Of several addresses the first that answers is taken, and a dead one costs a moment."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from mitmproxy.proxy.server import ConnectionHandler

from addons.attempts.patches import dialing
from addons.attempts.patches.dialing import NO_DESCRIPTORS, Dialer, Info, race, race_addresses, taking_turns

V4, V6 = socket.AF_INET, socket.AF_INET6


def info(name: str, family: int = V4) -> Info:
    return family, socket.SOCK_STREAM, 0, "", (name, 1)


class Connection:
    """What a race is for; it can be closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.open = True

    def close(self) -> None:
        self.open = False


class Net:
    """A network: of each address what happens. An Event is waited for, and then there is a connection."""

    def __init__(self, **what: Any) -> None:
        self.what = what
        self.tried: list[str] = []
        self.made: dict[str, Connection] = {}
        self.left: list[str] = []
        self.second = asyncio.Event()

    async def connect(self, info: Info) -> Connection:
        name = info[4][0]
        self.tried.append(name)
        if len(self.tried) == 2:
            self.second.set()
        found = self.what[name]
        if isinstance(found, Exception):
            raise found
        if isinstance(found, asyncio.Event):
            try:
                await found.wait()
            except asyncio.CancelledError:
                self.left.append(name)
                raise
        return self.made.setdefault(name, Connection(name))


async def test_a_dead_first_address_costs_no_more_than_the_delay() -> None:
    net = Net(dead=asyncio.Event(), alive=None)
    won = await race([info("dead"), info("alive")], net.connect, delay=0.001)
    assert won.name == "alive"
    await asyncio.sleep(0)
    assert net.left == ["dead"]


async def test_an_address_that_refuses_costs_nothing() -> None:
    net = Net(refuses=ConnectionRefusedError("no"), alive=None)
    assert (await race([info("refuses"), info("alive")], net.connect, delay=3600)).name == "alive"


async def test_an_address_that_answers_in_time_is_the_only_one_that_is_asked() -> None:
    net = Net(first=None, second=None)
    assert (await race([info("first"), info("second")], net.connect, delay=3600)).name == "first"
    assert net.tried == ["first"]


async def test_a_slow_first_address_may_still_win() -> None:
    slow, dead = asyncio.Event(), asyncio.Event()
    net = Net(slow=slow, dead=dead)
    running = asyncio.ensure_future(race([info("slow"), info("dead")], net.connect, delay=0.001))
    await net.second.wait()
    slow.set()
    assert (await running).name == "slow"


async def test_of_two_that_answer_at_once_one_is_closed() -> None:
    go = asyncio.Event()
    net = Net(one=go, two=go)
    running = asyncio.ensure_future(race([info("one"), info("two")], net.connect, delay=0.001))
    await net.second.wait()
    go.set()
    won = await running
    for _ in range(3):
        await asyncio.sleep(0)
    assert [each.name for each in net.made.values() if each.open] == [won.name]


@pytest.mark.parametrize(
    ("second", "said"),
    [(OSError(errno.EHOSTUNREACH, "second"), "first"), (OSError(errno.EMFILE, "no files"), "no files")],
)
async def test_when_all_fail_the_first_says_why_unless_it_was_our_own_fault(second: OSError, said: str) -> None:
    net = Net(one=ConnectionRefusedError("first"), two=second)
    with pytest.raises(OSError, match=said):
        await race([info("one"), info("two")], net.connect)


async def test_a_race_that_is_given_up_leaves_nothing_behind() -> None:
    net = Net(one=asyncio.Event(), two=asyncio.Event())
    running = asyncio.ensure_future(race([info("one"), info("two")], net.connect, delay=0.001))
    await net.second.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert sorted(net.left) == ["one", "two"]


def test_families_take_turns_from_the_preferred_one_on() -> None:
    found = [info("a", V6), info("b", V6), info("c", V4)]
    assert [each[4][0] for each in taking_turns(found)] == ["a", "c", "b"]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


class Names(asyncio.SelectorEventLoop):
    """A loop whose only name has these addresses. Connections to the second of this machine's are never answered."""

    addresses: tuple[str, ...] = ()
    hangs = ""

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        return [(V4, socket.SOCK_STREAM, 0, "", (each, port)) for each in self.addresses]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        if address[0] == self.hangs:
            await asyncio.Event().wait()
        await super().sock_connect(sock, address)


@pytest.mark.parametrize("eager", [False, True])
def test_what_asyncio_opens_is_raced_with_eager_tasks_too(listener: socket.socket, eager: bool) -> None:
    loop = Names()
    loop.addresses, loop.hangs = ("127.0.0.2", "127.0.0.1"), "127.0.0.2"
    if eager:
        loop.set_task_factory(asyncio.eager_task_factory)

    async def opens() -> str:
        race_addresses(loop)
        race_addresses(loop)  # once more is nothing
        _, writer = await asyncio.open_connection("two.test", listener.getsockname()[1], local_addr=None)
        peer = writer.get_extra_info("peername")[0]
        writer.close()
        await writer.wait_closed()
        return str(peer)

    try:
        assert loop.run_until_complete(opens()) == "127.0.0.1"
    finally:
        loop.close()


async def _never(*_: Any, **__: Any) -> None:
    await asyncio.Event().wait()


async def _no_files(*_: Any, **__: Any) -> None:
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize("host", ["192.0.2.1", "name.test"])
async def test_no_connection_takes_longer_than_its_time(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dialer = Dialer(asyncio.get_running_loop(), seconds=0.001)
    dialer.usual = _never
    monkeypatch.setattr(dialer.loop, "getaddrinfo", _never)
    with pytest.raises(TimeoutError, match="no connection within"):
        await dialer.create_connection(asyncio.Protocol, host, 1)


async def test_missing_file_descriptors_are_said_as_such(caplog: pytest.LogCaptureFixture) -> None:
    dialer = Dialer(asyncio.get_running_loop())
    dialer.usual = _no_files
    with pytest.raises(OSError, match="no file descriptors left"):
        await dialer.create_connection(asyncio.Protocol, "192.0.2.1", 1)
    assert NO_DESCRIPTORS in caplog.text


async def test_a_mitmproxy_that_connects_in_another_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def otherwise(self: Any, command: Any) -> None: ...

    monkeypatch.setattr(ConnectionHandler, "open_connection", otherwise)
    with pytest.raises(dialing.NotDialed):
        race_addresses(asyncio.get_running_loop())
