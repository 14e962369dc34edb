"""The official CLI behind `run` while accounts die as a plan says, and what its user saw of it.

A table is a desk with a proxy that stays. Each conversation has accounts of its own there, one more than can die.
"""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from accounts.model import Standing
from accounts.store.store import Store
from addons.options import MEANINGS
from config import clock
from standin import Account, Pace, Pause
from standin.model import Attempt, CustomCall, Message
from tests.e2e.codex import FELL_BACK, Ran, finish
from tests.e2e.desk import ROTATE, Desk, open_desk
from tests.e2e.kill_plan import JSON, MOST_DEATHS, PLOTS, SCREEN, Death, Turn, said
from tests.e2e.terminal import Screen, shown
from tests.e2e.test_slow_turns import USUAL as USUAL_ON_SCREEN
from tests.harness import eventually, put

TURN_SECONDS: Final = 45.0
SEATS: Final = MOST_DEATHS + 1
PATIENCE: Final = 3
"""Seconds of silence after which the proxy gives an account up here, where it has an option for that."""
WORK: Final = re.compile(
    r"exec|/bin/bash -lc .* in /.*|succeeded in \d+ms:|run \d+( [ab])?|web search: .*|Thinking it over\.|"
    r"Looking around\.|codex"
)
"""What `codex exec` tells of its work."""
WORK_ON_SCREEN: Final = re.compile(
    r"• Ran echo run \d+( [ab])?|└ run \d+( [ab])?|• (Browsing|Searched) the web.*|• Slept.*|─* ?Worked for .*|─+|"
    r"• Thinking it over\.|• Looking around\.|.*(To use Codex|Tip:|/model to change).*"
)
_numbers = count(1)


@dataclass(frozen=True)
class Outcome:
    """A turn as its user saw it, and its history after it. `struck` are the deaths that came about."""

    turn: Turn
    lost: tuple[str, ...] = ()
    """The answer is not there, not whole, or there twice; or the client ended with an error."""
    noisy: tuple[str, ...] = ()
    """Lines of trouble."""
    broken: tuple[str, ...] = ()
    """What is wrong with the history."""
    struck: tuple[Death, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    seconds: float = 0.0

    @property
    def bad(self) -> bool:
        return bool(self.lost or self.noisy or self.broken)


@dataclass(frozen=True)
class Told:
    """What the client has said: its exit code, the answers, the commands it ran, and the lines that are not usual."""

    code: int
    answers: tuple[str, ...]
    ran: str
    trouble: tuple[str, ...]


@dataclass
class Table:
    """A desk, and the accounts of the conversation that is under way."""

    desk: Desk
    accounts: list[Account] = field(default_factory=list)
    last: str = ""
    """What stands at the end of a thread that is resumed."""

    def begin(self) -> None:
        """Accounts of its own for a conversation."""
        self.desk.upstream.clear()
        self.accounts = []
        with self.store() as store:
            before = [seat.key for seat in store.accounts()]
            for _ in range(SEATS):
                number = next(_numbers)
                self.accounts.append(self.desk.upstream.add_account(f"seat-{number}"))
                put(store, self.accounts[-1], self.desk.folder, number)
            for key in before:
                store.remove_account(key).result()

    def store(self) -> Store:
        return Store(self.desk.folder / "rotate" / "pool.db")

    def rest(self) -> None:
        """Everything that an account has to be left alone for is over."""
        with self.store() as store:
            for seat in store.accounts():
                store.clear_cooldown(seat.key).result()
                store.set_windows(seat.key, ()).result()
                store.set_standing(seat.key, Standing.GOOD).result()

    def play(self, turn: Turn) -> Outcome:
        """One turn; the accounts that die are those that are asked."""
        upstream, mark = self.desk.upstream, str(next(_numbers))
        self.rest()
        upstream.clear()
        upstream.seal_reasoning = turn.sealed
        upstream.pace("*", Pace(pauses=(Pause(0.03, seed=1),)) if turn.paced else Pace())
        upstream.plays(*PLOTS[turn.plot](said(mark), mark))
        for death in turn.deaths:
            upstream.fault("*", death.fault(), times=1)
        seen, refused, began = len(upstream.attempts), len(upstream.violations), clock.monotonic()
        try:
            told = self._use(turn, mark)
        except AssertionError as error:
            lost, noisy = (f"no end: {' / '.join(str(error).split(chr(10)))}",), ()
        else:
            lost, noisy = tuple(lost_by(turn, mark, told)), told.trouble
        seconds, self.last = clock.monotonic() - began, said(mark)
        left = upstream.waiting
        broken = [f"refused: {each}" for each in upstream.violations[refused:]]
        if not lost:
            broken += [f"kept: {each}" for each in upstream.objections(self.kept())]
        struck = tuple(death for death in turn.deaths if death.fault() not in left)
        return Outcome(turn, lost, noisy, tuple(broken), struck, upstream.attempts[seen:], seconds)

    def kept(self) -> list[dict[str, Any]]:
        """The history that the client keeps of its last thread."""
        lines = [json.loads(line) for line in self.thread().read_text().splitlines()]
        return [line["payload"] for line in lines if line["type"] == "response_item"]

    def thread(self) -> Path:
        """Where it keeps that; the name ends with the thread's id."""
        files = (self.desk.folder / "client" / "sessions").rglob("*.jsonl")
        return max(files, key=lambda file: file.stat().st_mtime_ns)

    def _use(self, turn: Turn, mark: str) -> Told:
        prompt = f"question {mark}"
        words = ("resume", "--last") if turn.resumed else ()
        if turn.way == SCREEN:
            # the full screen's --last leaves out what was begun in lines
            return self._on_screen(("resume", self.thread().stem[-36:]) if turn.resumed else (), prompt, mark)
        more = ("--json",) if turn.way == JSON else ()
        ran = finish(self.desk.start([ROTATE, "run", "--", *self.desk.client(*more, *words, prompt)]), TURN_SECONDS)
        return (in_json if turn.way == JSON else in_lines)(ran, turn, prompt, mark)

    def _on_screen(self, words: tuple[str, ...], prompt: str, mark: str) -> Told:
        self.desk.trust_folder()
        command = [ROTATE, "run", "--", str(self.desk.binary), *words]
        screen = Screen(command, self.desk.environ, self.desk.folder / "work")
        try:
            screen.wait_for("Ask Codex to do anything")
            if words:
                screen.wait_for(self.last)  # what is typed before that is gone
            screen.ask(prompt)
            screen.wait_for(said(mark), TURN_SECONDS)
            screen.watch(1)  # the rest of what comes with an answer
            lines = [line.strip() for line in shown(screen.raw)]
            screen.ask("/quit")
            code = screen.ended()
        finally:
            screen.close()
        start = max((place for place, line in enumerate(lines) if line == f"› {prompt}"), default=0)
        new = lines[start + 1 :]
        texts = (said(mark), f"Remark {mark}.")
        answers = tuple(line.removeprefix("• ") for line in new if line.removeprefix("• ") in texts)
        usual = (USUAL_ON_SCREEN, WORK_ON_SCREEN)
        work = self.desk.folder / "work"
        trouble = [
            line
            for line in new
            if line.removeprefix("• ") not in texts
            and not any(each.fullmatch(line) for each in usual)
            and str(work) not in line
        ]
        return Told(code, answers, "\n".join(new), tuple(trouble))


def in_lines(ran: Ran, turn: Turn, prompt: str, mark: str) -> Told:
    """What `codex exec` said: its last words on stdout, everything on stderr."""
    texts = texts_of(turn, mark)
    lines = [line for line in ran.said_beside(prompt) if not line.endswith(FELL_BACK)]
    answers = tuple(line for line in lines if line in texts)
    if ran.out != f"{said(mark)}\n":
        answers = (*answers, f"on stdout: {ran.out!r}")
    trouble = tuple(line for line in lines if line not in texts and not WORK.fullmatch(line))
    return Told(ran.code, answers, "\n".join(line for line in lines if line.startswith("/bin/bash")), trouble)


def in_json(ran: Ran, turn: Turn, prompt: str, mark: str) -> Told:
    """What `codex exec --json` said: events on stdout."""
    events = [json.loads(line) for line in ran.out.splitlines()]
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    answers = tuple(item["text"] for item in items if item["type"] == "agent_message")
    commands = "\n".join(item["command"] for item in items if item["type"] == "command_execution")
    wrong = [json.dumps(event) for event in events if event["type"] in {"error", "turn.failed"}]
    wrong += [json.dumps(item) for item in items if item["type"] == "error"]
    lines = [line for line in ran.said_beside(prompt) if not line.endswith(FELL_BACK)]
    if texts_of(turn, mark) and "turn.completed" not in {event["type"] for event in events}:
        wrong.append("no turn.completed")
    return Told(ran.code, answers, commands, (*wrong, *lines))


def texts_of(turn: Turn, mark: str) -> list[str]:
    """The messages of a turn, in order."""
    steps = PLOTS[turn.plot](said(mark), mark)
    return [item.text for step in steps for item in step if isinstance(item, Message)]


def lost_by(turn: Turn, mark: str, told: Told) -> Iterator[str]:
    """What is missing of an answer, or there twice."""
    texts = texts_of(turn, mark)
    if told.code:
        yield f"exit code {told.code}"
    if list(told.answers) != texts:
        yield f"answers {list(told.answers)}"
    commands = [item.text for step in PLOTS[turn.plot]("", mark) for item in step if isinstance(item, CustomCall)]
    for number, text in enumerate(commands):
        command = text.partition('cmd: "')[2].partition('"')[0]
        times = len(re.findall(rf"{re.escape(command)}(?![\w ]*\w)", told.ran))
        # of calls side by side those that were complete are run
        if times > 1 or (times == 0 and (number == 0 or turn.plot == "long")):
            yield f"{command!r} ran {times} times"


@contextmanager
def open_table(binary: Path, folder: Path, transport: str, *, cold: bool = True) -> Iterator[Table]:
    """Something else than a client keeps the proxy until the end."""
    with open_desk(binary, folder, transport, seats=1, cold=cold) as desk:
        desk.upstream.strict = True
        hurry = {name: PATIENCE for name in MEANINGS if name == "rotate_head_timeout" or "stall" in name}
        for place in (folder / "rotate" / "ca", folder / "client" / ".mitmproxy"):
            file = place / "config.yaml"
            file.write_text(json.dumps(json.loads(file.read_text()) | hurry))
        keeper = desk.start([ROTATE, "run", "--", "sleep", "86400"])
        try:
            assert eventually(desk.proxies), "there is no proxy"
            yield Table(desk)
        finally:
            keeper.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                keeper.communicate(timeout=20)
