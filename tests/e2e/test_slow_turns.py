"""Turns as slow as the world's, with pauses, behind each proxy that a user can start: nobody notices anything.

All conversations run at the same time; each test looks at one of them. What comes with `run` and mitmproxy's own
program start as a user's do, over WebSockets; all others, and what is played over HTTP, from the warm process
(tests/warm.py).
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from threading import Semaphore

import pytest

from addons.attempts import local_websocket
from cli.running import proxies
from tests.e2e import slow
from tests.e2e.codex import FELL_BACK
from tests.e2e.desk import Desk, open_desk

AT_ONCE = 2
"""So many start at the same time; the rest of a conversation is mostly waiting."""
TRANSPORTS = ("auto", "sse")
MOST_SECONDS = 500.0
"""For all conversations together, on a machine that is busy with other things; on one that is not, a minute."""
USUAL = re.compile(
    r">_ OpenAI Codex \(v[\d.]+\)|/\S.*/a desk/work|Worked for \S+ • \d\d:\d\d|"
    r"› Ask Codex to do anything|GPT-\S+ \w+ · .*|"
    r"← for agents · \? for shortcuts +⚠ 1 warning · f2 to view"  # the warning is about a missing bubblewrap
)
"""What the full screen shows beside what was asked and answered."""

COLD = ("run", "mitmdump")
OVER = {"run": TRANSPORTS, "serve": ("sse",), "mitmweb": ("sse",)}
"""What comes and goes with its client is played over both transports, of those that stay some over HTTP. `make newest`
plays all over both, where everything starts cold."""

type Which = tuple[str, str]
"""What is played, and over which transport."""
type Play = Callable[[Desk, Semaphore], slow.Seen]
PLAYS: Mapping[str, Play] = {way: partial(slow.in_lines, way) for way in slow.WAYS} | {"screen": slow.full_screen}


def of(*names: str) -> pytest.MarkDecorator:
    """Those of these conversations that are played, over each of their transports."""
    ways = {name: TRANSPORTS if "COLD" in os.environ else OVER.get(name, ("auto",)) for name in names}
    pairs = [(name, how) for name, hows in ways.items() for how in hows]
    return pytest.mark.parametrize(("seen", "transport"), pairs, indirect=True)


@pytest.fixture(scope="module")
def conversations(
    request: pytest.FixtureRequest, launcher: Path, binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[Which, Future[slow.Seen]]]:
    """Those that the tests of this run ask about."""
    starting = Semaphore(AT_ONCE)
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    wanted = {(each["seen"], each["transport"]): None for each in params if {"seen", "transport"} <= each.keys()}

    def play(name: str, transport: str) -> slow.Seen:
        folder = tmp_path_factory.mktemp(name) / "a desk"
        cold = transport == "auto" and name in COLD
        with open_desk(launcher if cold else binary, folder, transport, cold=cold) as desk:
            return PLAYS[name](desk, starting)

    with ThreadPoolExecutor(len(wanted)) as pool:
        played = {(name, transport): pool.submit(play, name, transport) for name, transport in wanted}
        wait(played.values(), MOST_SECONDS)
        yield played


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def seen(request: pytest.FixtureRequest, conversations: Mapping[Which, Future[slow.Seen]], transport: str) -> slow.Seen:
    """The conversation that a test is about."""
    return conversations[request.param, transport].result(0)


def test_the_pause_is_longer_than_what_could_end_something_meanwhile() -> None:
    assert max(proxies.UNUSED_SECONDS, local_websocket.FAREWELL_SECONDS) < slow.PAUSE
    assert min(slow.SLOW.first_byte, slow.TYPED_AFTER) > proxies.UNUSED_SECONDS


@of(*slow.WAYS)
def test_the_user_of_exec_sees_two_answers_and_nothing_else(seen: slow.Seen, transport: str) -> None:
    for ran, prompt, answer in zip(seen.ran, (slow.FIRST, slow.SECOND), (slow.ANSWER, slow.NEXT), strict=True):
        assert (ran.code, ran.out) == (0, f"{answer}\n"), ran.err
        trouble = [line for line in ran.said_beside(prompt, answer) if not line.endswith(FELL_BACK)]
        assert trouble == [], ran.err
        assert ran.err.count(FELL_BACK) <= (transport == "sse")


@of("screen")
def test_the_user_of_the_full_screen_sees_two_answers_and_nothing_else(seen: slow.Seen) -> None:
    (ran,) = seen.ran
    assert ran.code == 0, seen.screen
    lines = [line.strip() for line in seen.screen]
    whole = " ".join(lines)
    for words in (f"› {slow.FIRST} ", f"• {slow.ANSWER} ", f"› {slow.SECOND} ", f"• {slow.NEXT} "):
        assert whole.count(words) == 1, (words, lines)
    talk = f"› {slow.FIRST} • {slow.ANSWER} › {slow.SECOND} • {slow.NEXT}"
    assert [line for line in lines if line not in talk and not USUAL.fullmatch(line)] == []


@of(*PLAYS)
def test_a_turn_runs_once_and_the_thread_stays_where_it_was(seen: slow.Seen) -> None:
    """Although another account is preferred when the second one comes."""
    assert seen.turns == ["acc-1", "acc-1"]


@of(*PLAYS)
def test_why_and_status_say_that_it_was_delivered(seen: slow.Seen) -> None:
    """Also over HTTP, where the client hangs up before the stream has ended."""
    assert max(each["seconds"] for each in seen.decided) > slow.SLOW.first_byte
    assert {each["done"] for each in seen.decided} == {"delivered"}
    assert {attempt["outcome"] for each in seen.decided for attempt in each["attempts"]} == {"ok"}


@of(*(way for way in slow.WAYS if way != "run"))
def test_the_proxy_is_the_same_throughout_and_has_no_trouble(seen: slow.Seen) -> None:
    assert seen.pid is not None
    assert seen.pids == (frozenset({seen.pid}),) * 4
    assert "Traceback" not in seen.said
    assert "defect" not in seen.said


@of("screen")
def test_the_proxy_of_run_lives_as_long_as_its_client(seen: slow.Seen) -> None:
    """Idle or not."""
    assert len(set(seen.pids)) == 1
    assert len(seen.pids[0]) == 1


@of("run")
def test_the_proxy_of_run_ends_only_when_its_client_has(seen: slow.Seen) -> None:
    """A later client gets another one."""
    in_turn, after, idle, later = seen.pids
    assert len(in_turn) == 1
    assert after == in_turn
    assert idle == frozenset()
    assert len(later) == 1
    assert later != in_turn
