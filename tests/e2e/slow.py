"""Whole conversations at the world's pace, behind a proxy that was started as users start it.

A conversation is a slow turn, a pause that is longer than whatever of ours could end meanwhile, and a second turn.
"""

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Semaphore
from typing import Any, Final

from accounts.store.store import Store
from cli.running import proxies
from config import clock
from config.proxy_files import ProxyInfo
from standin import ANY_ACCOUNT, Pace
from tests import warm
from tests.e2e.codex import Ran, finish
from tests.e2e.desk import ROTATE, Desk
from tests.e2e.terminal import Screen, shown
from tests.harness import MITMDUMP, eventually

SLOW: Final = Pace(first_byte=8.0, between_words=0.25, words=61)
"""Nothing for 8 s, then words for 15 s."""
PAUSE: Final = 8.0
"""Between the turns."""
TYPED_AFTER: Final = 7.0
FIRST: Final = "say hi"
SECOND: Final = "and again"
ANSWER: Final = SLOW.said("Hello from acc-1.")
NEXT: Final = "Here I am again."
START_SECONDS: Final = 120.0
TURN_SECONDS: Final = 90.0
BIN: Final = MITMDUMP.parent


@dataclass(frozen=True)
class Led:
    """A client's way to the proxy: what stands before its command, and what is in its environment. `pid` is the
    proxy's, None where `run` starts one when it is needed. `said` is all that the proxy has said."""

    before: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    pid: int | None = None
    said: Callable[[], str] = str


@dataclass(frozen=True)
class Seen:
    """One conversation as the user saw it, and what was behind. `pids` are the proxies that run at four moments: in
    the slow turn, at its end, after the pause, after the second turn. `turns` are the accounts that turns ran on."""

    pid: int | None
    ran: tuple[Ran, ...]
    pids: tuple[frozenset[int], ...]
    turns: list[str | None]
    decided: list[dict[str, Any]] = field(repr=False)
    screen: tuple[str, ...] = ()
    said: str = field(default="", repr=False)


def free_port() -> int:
    """Below those that systems give to connections: nobody takes it by chance before the proxy does."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def pids(desk: Desk) -> frozenset[int]:
    """Of the proxies that run. A proxy that ends takes its announcement away; of one that was killed it stays."""
    return frozenset(told.pid for told in desk.proxies() if alive(told.pid))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- ways to start a proxy -------------------------------------------------------------------------------------------


@contextmanager
def started(desk: Desk, *command: str) -> Iterator[ProxyInfo]:
    """A proxy in the foreground of another terminal, ended with Ctrl-C. What it says is in `proxy.log`."""
    with (desk.folder / "proxy.log").open("w") as log:
        process = (subprocess.Popen if desk.cold else warm.Popen)(
            command, env=desk.environ, cwd=desk.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        assert eventually(lambda: answering(desk) or process.poll() is not None, START_SECONDS), "it did not start"
        assert process.poll() is None, said_by(desk)
        (told,) = desk.proxies()
        yield told
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def answering(desk: Desk) -> bool:
    """Whether a proxy can be used; it is announced a little earlier."""
    return any(proxies.ask(told.url).presence is not None for told in desk.proxies())


def said_by(desk: Desk) -> str:
    return (desk.folder / "proxy.log").read_text()


@contextmanager
def run(desk: Desk) -> Iterator[Led]:
    """`codex-rotate run codex`, nothing else: a proxy comes with each turn and stays as long as it is needed."""
    yield Led(before=f"{shlex.quote(desk.rotate_program)} run --")


@contextmanager
def serve(desk: Desk, *more: str) -> Iterator[Led]:
    """`codex-rotate serve` in one terminal, `eval "$(codex-rotate env)"` in another."""
    with started(desk, ROTATE, "serve", "--listen", f"127.0.0.1:{free_port()}", *more) as told:
        lines = f'eval "$({shlex.quote(desk.rotate_program)} env --shell bash --proxy {told.url})"; exec'
        yield Led(before=lines, pid=told.pid, said=lambda: said_by(desk))


@contextmanager
def serve_web(desk: Desk) -> Iterator[Led]:
    """The same with mitmweb, but for the browser."""
    file = desk.folder / "rotate" / "ca" / "config.yaml"
    more = f', "web_open_browser": false, "web_port": {free_port()}}}'
    file.write_text(file.read_text().removesuffix("}") + more)
    with serve(desk, "--web") as led:
        yield led


@contextmanager
def mitmdump(desk: Desk, tool: str = "mitmdump", *more: str) -> Iterator[Led]:
    """`mitmdump -s "$(codex-rotate script)"`, with mitmproxy's own folder and CA."""
    script = desk.rotate("script").strip()
    listen = ("--listen-host", "127.0.0.1", "--listen-port", "0")
    with started(desk, str(BIN / tool), "-s", script, *listen, *more) as told:
        environ = {"HTTPS_PROXY": told.url, "CODEX_CA_CERTIFICATE": told.certificate}
        environ["NO_PROXY"] = "localhost,127.0.0.1,::1"
        yield Led(before="exec", environ=environ, pid=told.pid, said=lambda: said_by(desk))


@contextmanager
def mitmweb(desk: Desk) -> Iterator[Led]:
    with mitmdump(desk, "mitmweb", "--no-web-open-browser", "--web-port", str(free_port())) as led:
        yield led


@contextmanager
def bound(desk: Desk) -> Iterator[Led]:
    """`codex-rotate bind` once; nothing in the client's environment leads it anywhere."""
    with started(desk, ROTATE, "serve", "--listen", f"127.0.0.1:{free_port()}") as told:
        desk.rotate("bind", "--proxy", told.url)
        yield Led(before="exec", pid=told.pid, said=lambda: said_by(desk))


WAYS: Final = {each.__name__: each for each in (run, serve, serve_web, mitmdump, mitmweb, bound)}


# --- conversations ---------------------------------------------------------------------------------------------------


def asked(desk: Desk, led: Led, *words: str) -> subprocess.Popen[str]:
    """`codex exec`, as a line typed into a shell."""
    return desk.start(["sh", "-c", f"{led.before} {shlex.join(desk.client(*words))}"], led.environ)


def in_lines(way: str, desk: Desk, starting: Semaphore) -> Seen:
    """`codex exec`, and after the pause `codex exec resume --last`."""
    desk.upstream.pace(ANY_ACCOUNT, SLOW)
    moments = []
    with ExitStack() as stack:
        with starting:
            led = stack.enter_context(WAYS[way](desk))
            client = asked(desk, led, FIRST)
            assert desk.upstream.wait_for(desk.turns, START_SECONDS), "the first turn never came"
        moments.append(pids(desk))
        first = finish(client, TURN_SECONDS)
        moments.append(pids(desk))
        began = meanwhile(desk)
        Event().wait(PAUSE)
        moments.append(pids(desk))
        second = finish(asked(desk, led, "resume", "--last", SECOND), TURN_SECONDS)
        moments.append(pids(desk))
        told = decided(desk, began)
        return Seen(led.pid, (first, second), tuple(moments), desk.turns(), told, said=led.said())


def full_screen(desk: Desk, starting: Semaphore) -> Seen:
    """`codex-rotate run codex`, a question some seconds after the start, a pause, a second question, and the end."""
    desk.upstream.pace(ANY_ACCOUNT, SLOW)
    desk.trust_folder()
    moments = []
    with ExitStack() as stack:
        with starting:
            screen = Screen([desk.rotate_program, "run", "--", str(desk.binary)], desk.environ, desk.folder / "work")
            stack.callback(screen.close)
            screen.wait_for("Ask Codex to do anything")
        screen.watch(TYPED_AFTER)
        screen.ask(FIRST)
        screen.watch(SLOW.first_byte / 2)
        moments.append(pids(desk))
        screen.wait_for(" ".join(ANSWER.split()[-3:]))
        moments.append(pids(desk))
        began = meanwhile(desk)
        screen.watch(PAUSE)
        moments.append(pids(desk))
        screen.ask(SECOND)
        screen.wait_for(NEXT)
        moments.append(pids(desk))
        told = decided(desk, began)
        screen.watch(1)  # the rest of what comes with an answer
        lines = tuple(shown(screen.raw))
        screen.ask("/quit")
        ran = Ran(screen.ended(), "", "")
        return Seen(None, (ran,), tuple(moments), desk.turns(), told, screen=lines)


def meanwhile(desk: Desk) -> float:
    """Another account is preferred from now on, and answers are quick. The time."""
    for account in desk.accounts:
        desk.upstream.answer_with(account.account_id, NEXT)
    desk.upstream.pace(ANY_ACCOUNT, Pace())
    with Store(desk.folder / "rotate" / "pool.db") as store:
        other = next(seat for seat in store.accounts() if seat.label == "acc-2")
        store.update_account(other.key, priority=1000).result()
    return clock.now()


def decided(desk: Desk, since: float) -> list[dict[str, Any]]:
    """What `status` and `why` say of all turns, once there is one since then: it is written down a moment later."""
    found: list[dict[str, Any]] = []

    def told() -> bool:
        found[:] = json.loads(desk.rotate("why", "--last", "20", "--json"))["requests"]
        return any(each["at"] >= since for each in found)

    assert eventually(told, START_SECONDS), "the second turn was not written down"
    return found + json.loads(desk.rotate("status", "--json"))["decisions"]
