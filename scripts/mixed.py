# ruff: noqa: INP001 - scripts/ holds programs
"""The official CLI under `codex-rotate run` while upstream makes every kind of trouble at random; what its user saw.

    [ROTATE_BIN=COMMAND] .venv/bin/python -m scripts.mixed [MINUTES [SEED]]

Over a WebSocket and over HTTP side by side: `codex exec` and the same thread resumed. At each turn one account of three
is well, and each of the others has trouble from `standin/faults/cases.py`; rests and what was said of quota are over
before the next turn. Nothing leaves this machine. The seed that is printed draws the same troubles again. Exit code 1
when a turn was lost, or a line of trouble was on the screen.
"""

import random
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from accounts.model import Standing
from accounts.store.store import Store
from cli.demo.play import TRANSPORTS, find_client
from config import clock
from scripts.user import User, beside
from standin.faults import Fault, Phase
from standin.faults.cases import CASES
from tests.e2e.codex import finish
from tests.e2e.desk import RESPONSES, ROTATE, open_desk

SEATS: Final = 3
TURNS_AT_A_DESK: Final = 12
"""Then the user gets another desk, with a pool that knows of no trouble."""
TURN_SECONDS: Final = 180.0
TIMES: Final = (1, 2, 3, None)
"""How often a trouble strikes; None: always."""

type Drawn = dict[str, tuple[str, Fault, int | None]]
"""By account id: a case by its name, and how often it strikes."""


@dataclass
class Mixed(User):
    """One user's turns at one desk."""

    chance: random.Random = field(default_factory=random.Random)
    cases: Sequence[str] = ()
    """That a turn over this transport can meet."""
    lost: list[str] = field(default_factory=list)
    noisy: list[str] = field(default_factory=list)
    drawn: Counter[str] = field(default_factory=Counter)
    barred: set[str] = field(default_factory=set)
    """Accounts that were refused the model: that is believed for a day."""

    def turn(self, *words: str) -> None:
        """`codex exec` while all accounts but one have trouble."""
        troubles = self._draw()
        prompt, answer = self.next_question()
        before = len(self.desk.upstream.requests_to(RESPONSES))
        self.desk.upstream.clear()
        for account, (_, fault, times) in troubles.items():
            self.desk.upstream.fault(account, fault, times)
        told = ", ".join(f"{who} {name}{f' x{times}' if times else ''}" for who, (name, _, times) in troubles.items())
        began = clock.monotonic()
        try:
            ran = finish(self.desk.start([ROTATE, "run", "--", *self.desk.client(*words, prompt)]), TURN_SECONDS)
        except AssertionError as error:
            self.lost.append(told)
            self.wrong(f"{told}: {error}")
            return
        attempts = len(self.desk.upstream.requests_to(RESPONSES)) - before
        more = beside(ran, prompt, answer)
        if ran.code or ran.out != f"{answer}\n":
            self.lost.append(told)
        if more:
            self.noisy.append(told)
        seconds = clock.monotonic() - began
        said = f"{' '.join((*words, prompt))}: exit code {ran.code}, {attempts} attempts, {seconds:.0f} s; {told}"
        (self.wrong if ran.code or ran.out != f"{answer}\n" or more else self.tell)(said)
        if more:
            self.tell("on the screen:", list(dict.fromkeys(more)))

    def _draw(self) -> Drawn:
        """One account is well, the others are not, each in its own way: what two refuse alike is believed. A new thread
        would rather go to one of those."""
        usable = [each.account_id for each in self.desk.accounts if each.account_id not in self.barred]
        well = self.chance.choice(usable)
        troubles: Drawn = {}
        for account in self.desk.accounts:
            if account.account_id != well:
                met = {_like(name) for name, _, _ in troubles.values()}
                name = self.chance.choice([name for name in self.cases if _like(name) not in met])
                self.drawn[name] += 1
                if name.startswith("model_"):
                    self.barred.add(account.account_id)
                troubles[account.account_id] = name, CASES[name], self.chance.choice(TIMES)
        with Store(self.desk.folder / "rotate" / "pool.db") as store:
            for seat in store.accounts():
                priority = self.chance.randrange(1, 100) if seat.account_id in troubles else 0
                store.update_account(seat.key, priority=priority).result()
        return troubles

    def rested(self) -> None:
        """Everything that an account has to be left alone for is over."""
        with Store(self.desk.folder / "rotate" / "pool.db") as store:
            for seat in store.accounts():
                store.clear_cooldown(seat.key).result()
                store.set_windows(seat.key, ()).result()
                store.set_standing(seat.key, Standing.GOOD).result()

    def run(self) -> None:
        """Turns at this desk, until the time is up or the desk has seen enough."""
        for number in range(TURNS_AT_A_DESK):
            resumed = number > 0 and self.chance.random() < 0.5
            self.turn(*(("resume", "--last") if resumed else ()))
            if clock.monotonic() > self.end:
                return
            self.rested()

    def summary(self) -> str:
        attempts = len(self.desk.upstream.requests_to(RESPONSES))
        messages = len(self.desk.turns())
        return (
            f"{self.asked} turns, {len(self.lost)} lost, {len(self.noisy)} with a line of trouble, {attempts} attempts "
            f"upstream with {messages} requests of turns"
        )


def _like(name: str) -> str:
    """The same for cases that may be the same refusal in the end: a model is refused in a few words only."""
    return "model" if name.startswith("model_") else name


def cases_over(transport: str) -> list[str]:
    """The cases that occur in a turn, which is no long one."""
    phases = {Phase.REQUEST} if transport == "sse" else {*Phase} - {Phase.REQUEST}
    return [name for name, fault in CASES.items() if any(fault.strikes(RESPONSES, each, size=1) for each in phases)]


def desks(binary: str, name: str, transport: str, end: float, seed: str) -> Iterator[Mixed]:
    """One desk after the other until the time is up; each user when it is done."""
    chance = random.Random(f"{seed} {name}")  # noqa: S311 - to be repeated
    while clock.monotonic() < end:
        with (
            tempfile.TemporaryDirectory(prefix="codex-rotate ") as folder,
            open_desk(Path(binary), Path(folder) / "a desk", transport, seats=SEATS) as desk,
        ):
            user = Mixed(name, desk, end, chance=chance, cases=cases_over(transport))
            user.run()
            user.tell(user.summary())
            yield user


def main() -> int:
    """Both users at the same time."""
    seconds = float(sys.argv[1]) * 60 if sys.argv[1:] else 300.0
    seed = sys.argv[2] if sys.argv[2:] else secrets.token_hex(4)
    binary = find_client({})
    if not binary:
        sys.stderr.write("The official CLI is missing: run `make codex`.\n")
        return 1
    sys.stdout.write(f"seed {seed}\n")
    end = clock.monotonic() + seconds
    with ThreadPoolExecutor() as pool:
        played = pool.map(lambda each: list(desks(binary, *each, end, seed)), TRANSPORTS.items())
        users = [user for of_one in played for user in of_one]
    lost, noisy = (sum(len(each) for each in found) for found in zip(*((u.lost, u.noisy) for u in users), strict=True))
    drawn = sum((user.drawn for user in users), Counter[str]())
    sys.stdout.write(
        f"seed {seed}: {sum(user.asked for user in users)} turns, {lost} lost, {noisy} with a line of trouble; "
        f"{drawn.total()} troubles of {len(drawn)} cases.\n"
    )
    return 1 if lost or noisy else 0


if __name__ == "__main__":
    sys.exit(main())
