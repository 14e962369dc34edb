"""What the proxy needs does not grow with what has passed: turns, connections, threads, messages, flows to look at.

`make soak` takes ten thousand turns of each kind and shows the figures on the way. A head timeout of a second, as in
all tests of the proxy, only makes timers end sooner.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from accounts.store.store import AFFINITIES_KEPT, Store
from standin import FaultKind, StandIn
from tests.harness import START_SECONDS, Proxy, options, put
from tests.proxy.clients import Socket
from tests.proxy.conftest import LOADED, Bench
from tests.proxy.memory import SOAK, STATUS, WORD, Crowd, Fresh1, Kept1, Kept2, Served, Web, resident

pytestmark = pytest.mark.skipif(not Path(STATUS.format("self")).exists(), reason="this system does not tell in /proc")

MOST: Final = 10.0
"""MB by which the proxy may grow."""
LARGE: Final = 1 << 30
FIRST: Final = 3_000 if SOAK else 30
"""The heap is as large as it gets after some thousand turns; in fifty nothing but a leak makes ten MB."""
TURNS: Final = 10_000 if SOAK else 51
BOTH: Final = (Kept1, Kept1, Kept2, Kept2)
KINDS: Final = {"http1": (Kept1,) * 4, "http2": (Kept2,) * 4} if SOAK else {"both": BOTH}


logger = logging.getLogger(__name__)


@contextmanager
def without_rests(bench: Bench) -> Iterator[None]:
    """Every rest is ended again and again, so that accounts at their limit are asked, and passed over, all the time."""
    over = threading.Event()

    def end_rests() -> None:
        while not over.wait(0.1):
            for key in bench.keys.values():
                bench.store.clear_cooldown(key).result()

    ending = threading.Thread(target=end_rests)
    ending.start()
    try:
        yield
    finally:
        over.set()
        ending.join()


@contextmanager
def another(
    folder: Path, confdir: Path, tool: type[Proxy] = Proxy, scripts: Sequence[Path] = (), **settings: object
) -> Iterator[Bench]:
    """A bench of its own, with one account, which has served as many threads as are remembered."""
    home = folder / "rotate"
    home.mkdir(mode=0o700)
    with StandIn() as upstream, Store(home / "pool.db") as store:
        own = upstream.add_account("acc-own")
        account = upstream.add_account("acc-0")
        fill(store, put(store, account, folder, 0))
        upstream.answer_with("*", WORD)
        with tool(upstream, home, confdir, options(rotate_head_timeout=1, **settings), scripts) as proxy:
            proxy.output.wait_for(LOADED, seconds=START_SECONDS)
            with closing(Bench(upstream, proxy, store, own, folder, [account])) as bench:
                yield bench


def fill(store: Store, key: str) -> None:
    """The table of threads, all at once: every new thread drives an old one out."""
    with closing(sqlite3.connect(store.path)) as db, db:
        rows = [(f"old-{number}", key, float(number)) for number in range(AFFINITIES_KEPT)]
        db.executemany("INSERT INTO affinity (thread, key, used_at) VALUES (?, ?, ?)", rows)


@pytest.fixture(scope="module")
def one_proxy(tmp_path_factory: pytest.TempPathFactory, confdir: Path) -> Iterator[Bench]:
    with another(tmp_path_factory.mktemp("bench"), confdir) as bench:
        yield bench


@pytest.fixture
def bench(one_proxy: Bench) -> Bench:
    one_proxy.start_test(4)
    one_proxy.upstream.answer_with("*", WORD)
    return one_proxy


def chatter(bench: Bench, messages: int) -> float:
    """A socket with so many messages of 1 KB, a hundred a turn, after a few turns that do not count; growth in MB."""
    bench.upstream.answer_with("*", " ".join([WORD] * 100))
    with Socket(bench.proxy, bench.headers(thread_id="chatter")) as client:
        for _ in range(3):
            assert client.turn().completed
        before = resident(bench.proxy)
        for _ in range(messages // 100):
            assert client.turn().completed
        grown = resident(bench.proxy) - before
    logger.info("%6d messages: %+.1f MB", messages, grown)
    return grown


@pytest.mark.parametrize("kind", KINDS)
def test_turns_leave_nothing_behind(bench: Bench, kind: str) -> None:
    """On connections that stay. In `make test`, each in a thread of its own."""
    assert Crowd(bench, KINDS[kind]).grows(TURNS, first=FIRST) <= MOST


def test_bodies_do_not_wait_for_the_garbage_collector(tmp_path: Path, confdir: Path) -> None:
    """It comes round once in some thousand turns, which is a hundred megabytes of bodies. What `serve` starts keeps
    none of them in a circle."""
    script = tmp_path / "uncollected.py"
    script.write_text("import gc\ngc.disable()\n")
    with another(tmp_path, confdir, Served, [script]) as bench:
        assert Crowd(bench, BOTH).grows(TURNS, first=FIRST) <= MOST


def test_neither_do_connections(bench: Bench) -> None:
    """What belongs to one waits for the garbage collector for up to a thousand turns: the figure is one of ups
    and downs."""
    assert Crowd(bench, (Fresh1,) * 4).grows(2 * TURNS, first=2 * FIRST) <= MOST


def test_nor_do_rotations_and_clients_that_leave(bench: Bench) -> None:
    bench.fault(bench.first, FaultKind.INSUFFICIENT_QUOTA)
    bench.fault(bench.second, FaultKind.RESET)
    stalling = bench.accounts[-1].account_id
    bench.fault(bench.accounts[-1], FaultKind.STALL, after_output=True)
    leaving = (partial(Kept1, leaves=stalling), partial(Kept2, leaves=stalling))
    crowd = Crowd(bench, (Kept1, Kept2, *leaving))
    with without_rests(bench):
        grown = crowd.grows(TURNS, first=FIRST)
    assert crowd.limits > 5
    assert crowd.left > 10
    assert grown <= MOST


def test_nor_do_the_messages_of_a_socket_that_stays_open(tmp_path: Path, confdir: Path) -> None:
    with another(tmp_path, confdir) as bench:
        assert chatter(bench, 50_000 if SOAK else 2_500) <= MOST


def test_a_socket_that_keeps_its_messages_is_noticed(tmp_path: Path, confdir: Path) -> None:
    """The measure above can tell: with a limit that is never reached the same messages stay."""
    with another(tmp_path, confdir, rotate_capture_limit=LARGE) as bench:
        assert chatter(bench, 2_500) > MOST


def chains(bench: Bench, sockets: int) -> float:
    """So many sockets, each with a conversation of 1.5 MB whose turns continue one another; growth in MB."""
    said = [{"type": "message", "role": "user", "content": WORD * 128}]
    with ExitStack() as opened:
        clients = [
            opened.enter_context(Socket(bench.proxy, bench.headers(thread_id=f"chain-{n}"))) for n in range(sockets)
        ]
        last = {}
        for client in clients:
            last[client] = client.turn().messages[-1]["response"]["id"]
        before = resident(bench.proxy)
        for _ in range(12):
            for client in clients:
                answer = client.turn(input=said, previous_response_id=last[client])
                assert answer.completed
                last[client] = answer.messages[-1]["response"]["id"]
        grown = resident(bench.proxy) - before
    logger.info("%6d sockets with 1.5 MB each: %+.1f MB", sockets, grown)
    return grown


@pytest.mark.skipif(not SOAK, reason="a hundred megabytes in messages")
def test_nor_do_conversations_on_sockets_beyond_what_is_held_of_each(tmp_path: Path, confdir: Path) -> None:
    with another(tmp_path, confdir, rotate_chain_bytes=1 << 18, rotate_capture_limit=1 << 16) as bench:
        assert chains(bench, 64) <= MOST + 64 * (2**18 + 2**16) / 2**20


@pytest.mark.skipif(not SOAK, reason="a hundred megabytes in messages")
def test_conversations_that_are_held_whole_are_noticed(tmp_path: Path, confdir: Path) -> None:
    """The measure above can tell."""
    with another(tmp_path, confdir, rotate_chain_bytes=LARGE, rotate_capture_limit=1 << 16) as bench:
        assert chains(bench, 64) > 1.5 * 64


def test_the_web_interface_keeps_as_many_flows_as_it_is_told(tmp_path: Path, confdir: Path) -> None:
    """The newest ones, and besides those that are under way. (Its log holds ten thousand lines, about one a turn.)"""
    with another(tmp_path, confdir, Web, rotate_keep_flows=20) as bench:
        grown = Crowd(bench, BOTH).grows(TURNS, first=10_000 if SOAK else FIRST)
        assert isinstance(bench.proxy, Web)
        shown = bench.proxy.flows()
    assert 15 <= len(shown) <= 20 + len(BOTH)
    assert grown <= MOST
