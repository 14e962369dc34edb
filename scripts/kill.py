# ruff: noqa: INP001 - scripts/ holds programs
"""The official CLI under `codex-rotate run` while accounts die at random moments of its turns; what its user saw.

    [ROTATE_BIN=COMMAND] .venv/bin/python -m scripts.kill [--minutes N] [--turns N] [--seed SEED] [--workers N]
        [--modes MODE,…] [--transport ws|http] [--in-answers N]
    … --only MODE[,MODE…] MOMENT[,MOMENT…] ws|http [--plot PLOT] [--way exec|json|screen] [--resumed] [--sealed]
        [--paced] [--times N]

Over a WebSocket and over HTTP: new threads and resumed ones, with tools and without, as lines, as JSON and on the full
screen; one account of four is always well. tests/e2e/kill_plan.py says what can happen. A turn is bad when its answer
is not there once and whole, when a line of trouble was shown, or when its history cannot have come about. The seed
that is printed draws the same turns again, and each bad turn is told with the options that play it alone. Nothing
leaves this machine. Exit code 1 when a turn was bad.
"""

import argparse
import secrets
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cli.demo.play import find_client
from config import clock
from tests.e2e.cases import HTTP, WEBSOCKET
from tests.e2e.kill_plan import MODES, MOST_IN_ANSWERS, NAMES, PLOTS, SWITCHES, WAYS, Choice, Death, Turn
from tests.e2e.kill_turns import Outcome, Table, open_table

TRANSPORTS: Final = {name: transport for transport, name in NAMES.items()}
MINUTES: Final = 10.0
TALKS_AT_A_TABLE: Final = 20
"""So many conversations; then there is another one: a proxy of its own, and a client without a past."""
_LOCK: Final = threading.Lock()


def tell(words: str) -> None:
    with _LOCK:
        sys.stdout.write(f"{words}\n")
        sys.stdout.flush()


@dataclass
class Play:
    """Conversations one after the other, by as many workers as there are, until there were enough turns."""

    binary: Path
    seed: str
    choice: Choice
    turns: int
    end: float
    outcomes: list[Outcome] = field(default_factory=list)
    _number: int = 0
    _begun: int = 0

    def next(self) -> list[Turn]:
        """The next conversation; none when it is over."""
        with _LOCK:
            if self._begun >= self.turns or clock.monotonic() >= self.end:
                return []
            self._number += 1
            turns = self.choice.conversation(f"{self.seed} {self._number}")
            self._begun += len(turns)
            return turns

    def work(self, _: int) -> None:
        """One worker's tables, one for each transport, anew after a while."""
        while conversation := self.next():
            with ExitStack() as stack:
                tables: dict[str, Table] = {}
                for _ in range(TALKS_AT_A_TABLE):
                    try:
                        self.play(conversation, tables, stack)
                    except AssertionError as error:
                        tell(f"the conversation was given up: {error}")
                        self.outcomes.append(Outcome(conversation[0], (f"given up: {error}",)))
                        break
                    if not (conversation := self.next()):
                        return

    def play(self, conversation: list[Turn], tables: dict[str, Table], stack: ExitStack) -> None:
        transport = conversation[0].transport
        if transport not in tables:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="codex-rotate ")))
            tables[transport] = stack.enter_context(open_table(self.binary, folder / "a desk", transport))
        table = tables[transport]
        table.begin()
        for turn in conversation:
            if clock.monotonic() >= self.end:
                return
            outcome = table.play(turn)
            self.outcomes.append(outcome)
            show(outcome)
            if outcome.lost or outcome.broken:
                return  # what is resumed would be bad for the same reason


def show(outcome: Outcome) -> None:
    """A bad turn, and how to have it again."""
    if not outcome.bad:
        return
    what = "lost" if outcome.lost else "broken" if outcome.broken else "noisy"
    lines = [f"{what:6} {outcome.seconds:4.1f} s  {outcome.turn.again}"]
    lines += [f"         | {line[:400]}" for line in (*outcome.lost, *outcome.broken, *outcome.noisy)]
    lines.append(f"         = {'  '.join(course(outcome))}")
    tell("\n".join(lines))


def course(outcome: Outcome) -> Iterator[str]:
    """Who was asked, and how far the answers came."""
    for each in outcome.attempts:
        kind = "warm-up " if each.warm_up else ""
        yield f"{each.account_id} {kind}{each.delivered}/{each.events} {each.end}{f' {each.why}' if each.why else ''}"


def table_of(outcomes: list[Outcome]) -> Iterator[str]:
    """How many turns of each kind there were, and what became of them."""
    groups: dict[str, list[Outcome]] = {}
    for each in outcomes:
        names = [f"over {NAMES[each.turn.transport]}", f"way {each.turn.way}", f"plot {each.turn.plot}"]
        names += ["resumed" if each.turn.resumed else "new thread"]
        names += [f"{len(each.struck)} deaths"]
        for death in each.struck:
            names += [f"mode {death.mode}", f"at {place(death)}"]
        for name in dict.fromkeys(names):
            groups.setdefault(name, []).append(each)
    yield f"{'':20}{'turns':>8}{'lost':>8}{'noisy':>8}{'broken':>8}"
    for name, some in sorted(groups.items()):
        yield f"{name:20}{len(some):8}{counts(some)}"
    yield f"{'all':20}{len(outcomes):8}{counts(outcomes)}"


def place(death: Death) -> str:
    return "answer" if death.in_answer else "head" if death.moment.isdigit() else death.moment


def counts(outcomes: list[Outcome]) -> str:
    found = (sum(map(bool, each)) for each in zip(*((o.lost, o.noisy, o.broken) for o in outcomes), strict=True))
    return "".join(f"{each or '-':>8}" for each in found)


def asked_for(words: list[str]) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(prog="scripts.kill", description="Kill accounts under the official CLI.")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"{MINUTES:g} unless there are turns")
    parser.add_argument("--turns", type=int, help="so many, however long they take")
    parser.add_argument("--seed", default=secrets.token_hex(4))
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--modes", default=",".join(MODES), help=f"of {', '.join(MODES)}")
    parser.add_argument("--transport", choices=list(TRANSPORTS))
    parser.add_argument("--in-answers", type=int, default=MOST_IN_ANSWERS, help="most deaths inside answers of a turn")
    parser.add_argument("--only", nargs=3, metavar=("MODES", "MOMENTS", "TRANSPORT"))
    parser.add_argument("--plot", choices=list(PLOTS), default="plain")
    parser.add_argument("--way", choices=WAYS, default="exec")
    for name in SWITCHES:
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--times", type=int, default=1, help="with --only: how often")
    return parser.parse_args(words)


def alone(asked: argparse.Namespace) -> list[Turn]:
    """The turn that was named, and one before it where it is resumed."""
    modes, places, name = asked.only
    transport = TRANSPORTS[name]
    deaths = [] if modes == "none" else list(map(Death.named, modes.split(","), places.split(",")))
    how = {name: getattr(asked, name) for name in SWITCHES}
    turn = Turn(transport, asked.way, asked.plot, **how, deaths=tuple(deaths))
    return [*([Turn(transport, plot="thought", sealed=asked.sealed)] if asked.resumed else []), turn]


def main() -> int:
    """All workers at the same time."""
    asked = asked_for(sys.argv[1:])
    binary = find_client({})
    if not binary:
        sys.stderr.write("The official CLI is missing: run `make codex`.\n")
        return 1
    began = clock.monotonic()
    transports = (TRANSPORTS[asked.transport],) if asked.transport else (WEBSOCKET, HTTP)
    choice = Choice(asked.modes.split(","), transports, asked.in_answers)
    end = began + asked.minutes * 60 if asked.turns is None else float("inf")
    play = Play(Path(binary), asked.seed, choice, asked.turns or sys.maxsize, end)
    if asked.only:
        turns = alone(asked)
        with ExitStack() as stack:
            tables: dict[str, Table] = {}
            for _ in range(asked.times):
                play.play(turns, tables, stack)
    else:
        tell(f"seed {asked.seed}")
        with ThreadPoolExecutor(asked.workers) as pool:
            list(pool.map(play.work, range(asked.workers)))
    sys.stdout.writelines(f"{line}\n" for line in table_of(play.outcomes))
    bad = sum(each.bad for each in play.outcomes)
    struck = Counter(death.mode for each in play.outcomes for death in each.struck).total()
    minutes = (clock.monotonic() - began) / 60
    total = len(play.outcomes)
    tell(f"seed {asked.seed}: {total} turns in {minutes:.1f} min, {struck} deaths, {bad or 'no'} bad turns.")
    return 1 if bad or not total else 0


if __name__ == "__main__":
    sys.exit(main())
