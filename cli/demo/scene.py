"""What the demo plays: one act per transport, with its own stand-in, pool and proxy, and turns that run at once."""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from accounts.logins.auth_file import read_auth_file
from accounts.requests.identity import THREAD
from accounts.store.store import Store
from certs.folder import CERTIFICATE_FILE
from cli.running import proxy_command
from cli.running.processes import Background, Finished
from config import clock, paths
from config.errors import RotateError
from config.provider import PROVIDER
from standin import Fault, FaultKind, SeenRequest, StandIn
from standin.redirect import PORT

GENERATION: Final = PROVIDER.responses_path
ANSWER: Final = "Hello! Nothing to see here."
PROMPTS: Final = ("Say hello to the first thread.", "Say hello to the second.", "Say hello to the third.")
FAILING: Final = ("spent", "revoked")
SERVING: Final = ("good", "spare")
TICK: Final = 0.1
HELD: Final = 1.5
"""Seconds for which three open streams are shown before they go on; without a screen they go on at once."""
TOO_LONG: Final = 10.0
"""Seconds after which the answers go on although not all of them are there."""
MEANINGS: Final = {429: "at its limit", 401: "signed out", 101: "answers", 200: "answers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where a client of the demo gets in: the proxy, its `rotate_transport`, what to trust, a folder of its own, its
    login."""

    proxy: str
    option: str
    ca_file: Path
    folder: Path
    home_login: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class DemoStep:
    """What one account said to one request of a thread. `status` is None while it has said nothing."""

    account: str
    status: int | None

    @property
    def refused(self) -> bool:
        return self.status is not None and self.status >= 400

    def __str__(self) -> str:
        said = MEANINGS.get(self.status or 0, "")
        return " ".join(word for word in (self.account, str(self.status or "…"), said) if word)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTurn:
    """One turn so far. `streams`: an answer has begun. `finished` and `seconds` are there when the client has ended."""

    transport: str
    number: int
    steps: tuple[DemoStep, ...] = ()
    streams: bool = False
    finished: Finished | None = None
    seconds: float = 0.0

    @property
    def rotations(self) -> int:
        """How many times another account took over."""
        return sum(step.refused for step in self.steps[:-1])


type Ending = tuple[Finished, float]
type TakeTurn = Callable[[Door, str], Finished]
type Show = Callable[[Sequence[DemoTurn]], None]


class Act:
    """One transport: a stand-in with a spent, a revoked and two good accounts, and a proxy whose pool they are.

    Entering starts everything, leaving ends it. `option` is the proxy's `rotate_transport`.
    """

    def __init__(self, folder: Path, transport: str, option: str) -> None:
        self.transport = transport
        self._folder = folder
        self._option = option
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._folder.mkdir()
        with self._stack:
            self._upstream = self._stack.enter_context(StandIn())
            self._home = self._upstream.add_account("home", user_id="user-home", email="you@example.com").auth_json()
            fill_pool(self._folder / "rotate", self._upstream)
            environ = {
                **{name: value for name, value in os.environ.items() if not name.startswith("CODEX_ROTATE_")},
                "CODEX_ROTATE_HOME": str(self._folder / "rotate"),
                "CODEX_REFRESH_TOKEN_URL_OVERRIDE": self._upstream.token_url,
                PORT: str(self._upstream.port),
            }
            argv = proxy_argv(self._folder, self._option, self._upstream)
            self._proxy = self._stack.enter_context(Background(argv, environ))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def play(self, take_turn: TakeTurn, show: Show | None = None) -> tuple[DemoTurn, ...]:
        """Take the turns at once and tell how they go on, until all of them are over."""
        url = self._proxy_url()
        with ThreadPoolExecutor(len(PROMPTS), thread_name_prefix="demo") as pool:
            futures = [pool.submit(self._take, take_turn, url, number) for number in range(len(PROMPTS))]
            try:
                self._watch(futures, show)
            finally:
                self._let_go()
        return self._turns([future.result() for future in futures])

    def _proxy_url(self) -> str:
        listening, _ = self._proxy.wait_for(("listening at", "accounts from"))
        found = re.search(r"listening at \S*?:(\d+)", listening)
        if found is None:
            raise RotateError(f"mitmdump did not say where it listens: {listening.strip()}. Report this line.")
        return f"http://127.0.0.1:{found.group(1)}"

    def _take(self, take_turn: TakeTurn, url: str, number: int) -> Ending:
        folder = self._folder / f"thread {number + 1}"
        folder.mkdir()
        ca_file = self._folder / "ca" / CERTIFICATE_FILE
        began = clock.monotonic()
        door = Door(proxy=url, option=self._option, ca_file=ca_file, folder=folder, home_login=self._home)
        finished = take_turn(door, PROMPTS[number])
        return finished, clock.monotonic() - began

    def _watch(self, futures: Sequence[Future[Ending]], show: Show | None) -> None:
        """Hold the answers after their first words until all of them have come so far."""
        began = clock.monotonic()
        all_there: float | None = None
        while wait(futures, timeout=TICK).not_done:
            turns = self._turns([future.result() if future.done() else None for future in futures])
            if show is not None:
                show(turns)
            now = clock.monotonic()
            if all_there is None and (all(turn.streams or turn.finished for turn in turns) or now - began > TOO_LONG):
                all_there = now
            if all_there is not None and (show is None or now - all_there >= HELD):
                self._let_go()

    def _let_go(self) -> None:
        for account in SERVING:
            self._upstream.clear(account)
        self._upstream.release()

    def _turns(self, endings: Sequence[Ending | None]) -> tuple[DemoTurn, ...]:
        return told(self.transport, self._upstream.requests_to(GENERATION), endings)


def told(transport: str, requests: Sequence[SeenRequest], endings: Sequence[Ending | None]) -> tuple[DemoTurn, ...]:
    """What upstream saw beside what the clients said, one turn per client, in the order in which their threads came."""
    threads: dict[str, list[SeenRequest]] = {}
    for request in requests:
        threads.setdefault(request.header(THREAD) or "", []).append(request)
    asked = [next((n for n in map(_asks, seen) if n is not None), None) for seen in threads.values()]
    silent = iter([client for client in range(len(endings)) if client not in asked])
    rows = [
        (seen, client if client is not None else next(silent, None))
        for seen, client in zip(threads.values(), asked, strict=True)
    ]
    turns: list[DemoTurn] = []
    for seen, client in [*rows, *(([], client) for client in silent)]:
        if client is None:
            continue  # a thread that none of our clients has begun
        finished, seconds = endings[client] or (None, 0.0)
        steps = tuple(DemoStep(request.account_id or "nobody", request.status) for request in seen)
        streams = client in asked and seen[-1].status in {101, 200}
        turn = DemoTurn(transport=transport, number=len(turns) + 1, steps=steps, streams=streams)
        turns.append(replace(turn, finished=finished, seconds=seconds))
    return tuple(turns)


def _asks(request: SeenRequest) -> int | None:
    """Which of the prompts a request is about; a WebSocket says it only in its messages."""
    text = request.body.decode("utf-8", "replace") + json.dumps(request.messages)
    return next((number for number, prompt in enumerate(PROMPTS) if prompt in text), None)


def fill_pool(home: Path, upstream: StandIn) -> None:
    """A pool of four: one at its limit, one signed out by the provider, two that work. The failing ones come first."""
    paths.make_private_folder(home)
    names = (*FAILING, *SERVING)
    with Store(home / "pool.db") as store:
        for n, name in enumerate(names):
            account = upstream.add_account(name, user_id=f"user-{name}", email=f"{name}@example.com", plan="plus")
            login = home / "login.json"
            login.write_text(json.dumps(account.auth_json()))
            read = read_auth_file(login)
            login.unlink()
            priority = len(FAILING) - n if name in FAILING else 0
            seat = replace(read.account, label=name, added_at=float(n), priority=priority)
            store.put_account(seat, read.credentials).result()
            if name == "revoked":
                account.revoke()
    upstream.fault("spent", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    for name in SERVING:
        upstream.answer_with(name, ANSWER)
        upstream.fault(name, Fault(FaultKind.STALL, after_output=True))


def proxy_argv(folder: Path, option: str, upstream: StandIn) -> list[str]:
    settings = {
        "confdir": folder / "ca",
        "rotate_transport": option,
        "ssl_verify_upstream_trusted_ca": upstream.ca_file,
        "listen_host": "127.0.0.1",
        "listen_port": 0,
    }
    scripts = ["-s", str(paths.PROGRAM / "rotate.py"), "-s", str(paths.PROGRAM / "standin" / "redirect.py")]
    return [
        *proxy_command.start("mitmdump"),
        *scripts,
        *(x for k, v in settings.items() for x in ("--set", f"{k}={v}")),
    ]
