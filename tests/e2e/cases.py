"""What upstream may say (standin/faults/cases.py), asked by the official CLI behind `run`, one proxy for all.

Each case has two accounts of its own: the first one says what the case says, the second one is well.
"""

import signal
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from accounts.model import Standing
from accounts.store.store import Store
from standin import ANY_ACCOUNT, Account, Fault, FaultKind
from standin.faults.cases import BESIDE, CASES
from tests.e2e.codex import FELL_BACK, Ran, finish
from tests.e2e.desk import RESPONSES, ROTATE, Desk, open_desk
from tests.e2e.terminal import Screen, shown
from tests.e2e.test_slow_turns import USUAL as USUAL_ON_SCREEN
from tests.harness import eventually, put

WEBSOCKET: Final = "auto"
HTTP: Final = "sse"
QUESTION: Final = "say hi"
LATE: Final = frozenset({"head_after_a_minute", "socket_silent_for_a_minute"})
DRESSES: Final = frozenset({"untyped", "odd_type", "gzip", "zstd", "untyped_gzip"})
"""Answers with nothing wrong but the look of them."""
UNREADABLE: Final = frozenset({"brotli", "deflate"})
"""What passes as it comes, and the client cannot read: it does not ask for these codings, and upstream does not use
what it was not asked for."""
AFTER_OUTPUT: Final = frozenset(name for name in CASES if name.endswith("_after_output"))
IN_SOCKETS: Final = frozenset(
    {name for name in CASES if name.startswith(("closed_", "aborted")) or name.endswith("_in_band")}
    | {"error_without_status", "limit_without_status", "socket_silent_for_a_minute"}
)
"""What only sockets can say."""
USUAL_SECONDS: Final = 60.0
SLOW_SECONDS: Final = 300.0
MOST_ATTEMPTS: Final = 3
_numbers = count(1)


@dataclass(frozen=True)
class Seen:
    """One case as the user saw it. `asked` are the accounts of all model requests, upgrades among them, as letters in
    the order of the pool; `ran` is the last run of the client, and `shown` what it has shown beside its answer. `wrong`
    says what is not as it should be."""

    ran: Ran
    asked: str
    shown: tuple[str, ...]
    wrong: tuple[str, ...]
    noticed: bool = False
    """It has said that it connects again, and may."""


@dataclass
class Sitting:
    """A desk whose proxy stays, and the accounts of the case that is under way."""

    desk: Desk
    transport: str
    accounts: list[Account] = field(default_factory=list)
    began: int = 0

    @property
    def on_sockets(self) -> bool:
        return self.transport == WEBSOCKET

    def begin(self, seats: int = 2) -> None:
        """Accounts of its own for a case."""
        self.desk.upstream.clear()
        self.desk.upstream.release()
        self.accounts = []
        with self.store() as store:
            before = [seat.key for seat in store.accounts()]
            for _ in range(seats):
                number = next(_numbers)
                self.accounts.append(self.desk.upstream.add_account(f"case-{number}"))
                put(store, self.accounts[-1], self.desk.folder, number)
            for key in before:
                store.remove_account(key).result()
        self.began = len(self.desk.upstream.requests)

    def store(self) -> Store:
        return Store(self.desk.folder / "rotate" / "pool.db")

    def say(self, place: int, fault: Fault, times: int | None = None) -> None:
        self.desk.upstream.fault(self.accounts[place].account_id, fault, times)

    def ask(self, *words: str, seconds: float = USUAL_SECONDS) -> Ran:
        """`codex-rotate run codex exec …`."""
        command = [ROTATE, "run", "--", *self.desk.client(*words, QUESTION)]
        return finish(self.desk.start(command), seconds)

    def asked(self) -> str:
        letters = {account.account_id: letter for account, letter in zip(self.accounts, "abcdef", strict=False)}
        seen = self.desk.upstream.requests[self.began :]
        asked = (each for each in seen if each.path.partition("?")[0] == RESPONSES)
        return "".join(letters.get(each.account_id or "", "?") for each in asked)

    def turns(self, place: int) -> int:
        """How many turns of the client have run on this account in this case."""
        return self.desk.turns().count(self.accounts[place].account_id)

    def judge(
        self, ran: Ran, *right: int, most: int = MOST_ATTEMPTS, fell_back: bool = False, notice: bool = False
    ) -> Seen:
        """`right`: whose answer it has to be, by their places in the pool. `fell_back`: a 426 is in order. `notice`:
        the client may say that it connects again."""
        asked, beside = self.asked(), ran.said_beside(QUESTION, *(each.answer for each in self.accounts))
        falls = [line for line in beside if line.endswith(FELL_BACK)]
        beside = [line for line in beside if line not in falls]
        notices = [line for line in beside if "Reconnecting..." in line]
        wrong = []
        if ran.code:
            wrong.append(f"exit code {ran.code}")
        if ran.out not in {f"{self.accounts[place].answer}\n" for place in right}:
            wrong.append(f"answer {ran.out!r}")
        if len(falls) > (fell_back or not self.on_sockets):
            wrong.append(f"{len(falls)} times to HTTP")
        if beside != (notices if notice else []) or len(notices) > 1:
            wrong.append("words of trouble")
        if len(asked) > most:
            wrong.append(f"{len(asked)} attempts")
        return Seen(ran, asked, tuple(beside), tuple(wrong + self.blamed()), noticed=bool(notices))

    def blamed(self) -> list[str]:
        """Who is out of service now: nobody has to be."""
        with self.store() as store:
            return [f"{seat.label} is {seat.standing}" for seat in store.accounts() if seat.standing != Standing.GOOD]

    def resting(self) -> list[str]:
        """The reasons for which accounts of this case rest."""
        with self.store() as store:
            return [rest.reason for rest in store.cooldowns().values()]


@contextmanager
def open_sitting(binary: Path, folder: Path, transport: str, *, cold: bool = True) -> Iterator[Sitting]:
    """Something else than a client keeps the proxy until the end."""
    with open_desk(binary, folder, transport, cold=cold) as desk:
        keeper = desk.start([ROTATE, "run", "--", "sleep", "86400"])
        try:
            assert eventually(desk.proxies), "there is no proxy"
            yield Sitting(desk, transport)
        finally:
            keeper.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                keeper.communicate(timeout=20)


def play(sitting: Sitting, name: str) -> Seen:
    """One case of the list."""
    sitting.begin()
    sitting.say(0, CASES[name])
    if name in LATE:
        return sitting.judge(sitting.ask(seconds=SLOW_SECONDS), 0, 1)
    well = 0 if name in DRESSES else 1
    seen = sitting.judge(sitting.ask(), well, notice=name in AFTER_OUTPUT)
    ran = sitting.turns(well)
    return seen if ran == 1 else replace(seen, wrong=(*seen.wrong, f"{ran} turns where one was enough"))


def on_the_full_screen(sitting: Sitting, name: str) -> Seen:
    """One case of the list, asked by somebody who sits before the full-screen client."""
    sitting.begin()
    sitting.say(0, CASES[name])
    sitting.desk.trust_folder()
    well = sitting.accounts[0 if name in DRESSES else 1]
    command = [ROTATE, "run", "--", str(sitting.desk.binary)]
    screen = Screen(command, sitting.desk.environ, sitting.desk.folder / "work")
    try:
        screen.wait_for("Ask Codex to do anything")
        screen.ask(QUESTION)
        screen.wait_for(well.answer)
        screen.watch(2)  # the rest of what comes with an answer
        lines = [line.strip() for line in shown(screen.raw)]
        screen.ask("/quit")
        ran = Ran(screen.ended(), "", "")
    finally:
        screen.close()
    talk = (f"› {QUESTION}", f"• {well.answer}")
    beside = tuple(line for line in lines if line not in talk and not USUAL_ON_SCREEN.fullmatch(line))
    wrong = [f"{words!r} {lines.count(words)} times" for words in talk if lines.count(words) != 1]
    if ran.code or beside:
        wrong.append(f"exit code {ran.code}, words of trouble")
    return Seen(ran, sitting.asked(), beside, tuple(wrong + sitting.blamed()))


# --- situations ------------------------------------------------------------------------------------------------------


def everybody_says(name: str, times: int, sitting: Sitting) -> Seen:
    """So often; whatever becomes of that turn, the next one works."""
    sitting.begin()
    for place in range(len(sitting.accounts)):
        sitting.say(place, CASES[name], times)
    sitting.ask()
    return sitting.judge(sitting.ask(), 0, 1, most=2 * MOST_ATTEMPTS)


def everybody_is_late(sitting: Sitting) -> Seen:
    """The head comes after a minute, whoever is asked."""
    sitting.begin()
    sitting.desk.upstream.fault(ANY_ACCOUNT, CASES["head_after_a_minute"])
    seen = sitting.judge(sitting.ask(seconds=SLOW_SECONDS), 0, 1, fell_back=True)
    return with_rests(sitting, seen)


def the_only_one_is_late(sitting: Sitting) -> Seen:
    sitting.begin(1)
    sitting.say(0, CASES["head_after_a_minute"])
    seen = sitting.judge(sitting.ask(seconds=SLOW_SECONDS), 0, fell_back=True)
    return with_rests(sitting, seen)


def every_socket_is_silent(sitting: Sitting) -> Seen:
    """For a minute after the request; then a usual answer."""
    sitting.begin()
    sitting.desk.upstream.fault(ANY_ACCOUNT, CASES["socket_silent_for_a_minute"])
    seen = sitting.judge(sitting.ask(seconds=SLOW_SECONDS), 0, 1)
    return with_rests(sitting, seen)


def two_threads_fail(sitting: Sitting) -> Seen:
    """An account stumbles in one thread, and is well again when another one fails inside its socket in a second one."""
    sitting.begin()
    sitting.say(0, Fault(FaultKind.OVERLOADED), times=1)
    first = sitting.judge(sitting.ask(), 1)
    sitting.began = len(sitting.desk.upstream.requests)
    sitting.say(1, Fault(FaultKind.OVERLOADED, in_band=True))
    second = sitting.judge(sitting.ask(), 0)
    asked = f"{first.asked} {second.asked}"
    return replace(second, asked=asked, shown=first.shown + second.shown, wrong=first.wrong + second.wrong)


def connection_ends(sitting: Sitting) -> Seen:
    """After a whole answer; the next turn needs another one."""
    sitting.begin()
    sitting.say(0, CASES["parting"])
    first, second = (sitting.judge(sitting.ask(), 0) for _ in range(2))
    return replace(second, shown=first.shown + second.shown, wrong=first.wrong + second.wrong)


def everybody_is_busy(sitting: Sitting) -> Seen:
    """For four seconds."""
    sitting.begin()
    sitting.desk.upstream.fault(ANY_ACCOUNT, Fault(FaultKind.CONCURRENCY), seconds=4.0)
    return sitting.judge(sitting.ask(), 0, 1, most=12)


def message_too_large(sitting: Sitting) -> Seen:
    """More than 16 MiB of pictures, which a socket does not take."""
    sitting.begin()
    sitting.desk.upstream.fault(ANY_ACCOUNT, CASES["closed_1009_for_16_mib"])
    pictures = [sitting.desk.folder / f"noise-{number}.png" for number in range(5)]
    for number, file in enumerate(pictures):
        file.write_bytes(noise(1024, 1024, number))
    words = [f"--image={file}" for file in pictures]
    seen = sitting.judge(sitting.ask(*words), 0, 1, fell_back=True)
    return with_rests(sitting, seen)


def noise(width: int, height: int, seed: int) -> bytes:
    """A PNG that no coding makes smaller."""
    dice = Random(seed)
    rows = b"".join(b"\0" + dice.randbytes(3 * width) for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


def every_socket_is_closed(sitting: Sitting) -> Seen:
    """By both accounts, right after the upgrade."""
    sitting.begin()
    sitting.desk.upstream.fault(ANY_ACCOUNT, CASES["closed_1011"])
    return sitting.judge(sitting.ask(), 0, 1, fell_back=True)


def with_rests(sitting: Sitting, seen: Seen) -> Seen:
    """Nobody has done anything wrong."""
    rests = tuple(f"rests: {reason}" for reason in sitting.resting())
    return replace(seen, wrong=seen.wrong + rests)


SITUATIONS: Final[Mapping[str, Callable[[Sitting], Seen]]] = {
    "connection_ends": connection_ends,
    "two_threads_fail": two_threads_fail,
    "everybody_is_busy": everybody_is_busy,
    **{f"everybody_says_{name}": partial(everybody_says, name, 1) for name in ("bare_402", "html_403", "html_200")},
    "everybody_says_html_401": partial(everybody_says, "html_401", 2),
    "message_too_large": message_too_large,
    "every_socket_is_closed": every_socket_is_closed,
}
SLOW_SITUATIONS: Final[Mapping[str, Callable[[Sitting], Seen]]] = {
    "everybody_is_late": everybody_is_late,
    "the_only_one_is_late": the_only_one_is_late,
    "every_socket_is_silent": every_socket_is_silent,
}
OF_SOCKETS: Final = frozenset({"message_too_large", "every_socket_is_closed", "every_socket_is_silent"})
"""Situations that only sockets know."""


def played(sitting: Sitting, name: str) -> Seen:
    """A case of the list, or a situation."""
    situation = {**SITUATIONS, **SLOW_SITUATIONS}.get(name)
    return situation(sitting) if situation is not None else play(sitting, name)


def names(transport: str, *, slow: bool) -> list[str]:
    """All that can be played over this transport."""
    left_out = {*BESIDE, *UNREADABLE, "closed_1009_for_16_mib", "parting"} | (set() if slow else LATE)
    cases = [name for name in CASES if name not in left_out] + list(SITUATIONS)
    if slow:
        cases += SLOW_SITUATIONS
    return [name for name in cases if transport == WEBSOCKET or name not in IN_SOCKETS | OF_SOCKETS]
