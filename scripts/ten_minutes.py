# ruff: noqa: INP001 - scripts/ holds programs
"""The official CLI under `codex-rotate run` for ten minutes, at the world's pace and with pauses; what its user saw.

    [ROTATE_BIN=COMMAND] .venv/bin/python -m scripts.ten_minutes [MINUTES]

Over a WebSocket and over HTTP side by side: `codex exec`, the same thread resumed, the full screen, and the full screen
resumed. ROTATE_BIN names a `codex-rotate` that was installed another way. Nothing leaves this machine. It ends with the
act that is under way when the time is up; exit code 1 when somebody would have noticed something.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from threading import Event
from typing import Final

from cli.demo.play import TRANSPORTS, find_client
from config import clock
from scripts.user import User, beside
from standin import ANY_ACCOUNT
from tests.e2e.codex import finish
from tests.e2e.desk import ROTATE, open_desk
from tests.e2e.slow import SLOW, START_SECONDS, TURN_SECONDS, TYPED_AFTER, pids
from tests.e2e.terminal import Screen, shown
from tests.e2e.test_slow_turns import USUAL
from tests.harness import eventually

PAUSES: Final = (8.0, 20.0, 45.0)
"""Seconds between two turns, in turn; all are longer than a proxy of `run` stays without a client."""


@dataclass
class Play(User):
    """One user's acts, one after the other."""

    pauses: Iterator[float] = field(default_factory=lambda: cycle(PAUSES))
    talk: list[str] = field(default_factory=list)
    proxies: list[frozenset[int]] = field(default_factory=list)

    def question(self) -> tuple[str, str]:
        """The next one, and what has to be answered."""
        prompt, text = self.next_question()
        return prompt, SLOW.said(text)

    def pause(self, wait: Callable[[float], object]) -> None:
        seconds = next(self.pauses)
        self.tell(f"a pause of {seconds:.0f} s")
        wait(seconds)

    def in_a_line(self, *words: str) -> None:
        """`codex exec`, a turn of half a minute."""
        prompt, answer = self.question()
        before = len(self.desk.turns())
        client = self.desk.start([ROTATE, "run", "--", *self.desk.client(*words, prompt)])
        eventually(lambda: len(self.desk.turns()) > before, START_SECONDS)
        self.proxies.append(pids(self.desk))
        ran = finish(client, TURN_SECONDS)
        more = beside(ran, prompt, answer)
        self.tell(f"codex exec {' '.join((*words, prompt))!r}: exit code {ran.code}", ran.out.splitlines() + more)
        self.talk += [f"› {prompt}", f"• {answer}"]
        if (ran.code, ran.out, more) != (0, f"{answer}\n", []):
            self.wrong(f"code {ran.code}, beside the answer {more}, answer {ran.out!r}")

    def on_the_full_screen(self, *words: str) -> None:
        """Two questions with a pause, the first one some seconds after the start."""
        command = [ROTATE, "run", "--", str(self.desk.binary), *words]
        screen = Screen(command, self.desk.environ, self.desk.folder / "work")
        try:
            screen.wait_for("Ask Codex to do anything")
            screen.watch(TYPED_AFTER)
            new = []
            for wait in (True, False):
                prompt, answer = self.question()
                new += [f"› {prompt}", f"• {answer}"]
                screen.ask(prompt)
                screen.wait_for(" ".join(answer.split()[:4]), TURN_SECONDS)
                screen.watch(SLOW.between_words * SLOW.words + 2)
                self.proxies.append(pids(self.desk))
                if wait:
                    self.pause(screen.watch)
            lines = shown(screen.raw)
            screen.ask("/quit")
            code = screen.ended()
        finally:
            screen.close()
        self.tell(f"{' '.join(('codex', *words))} on the full screen: exit code {code}", lines)
        self._looked([line.strip() for line in lines], new)

    def _looked(self, lines: list[str], new: list[str]) -> None:
        """Each question and each answer is there, once, and nothing that is not part of a talk or usual."""
        whole = " ".join(lines)
        for each in new:
            if whole.count(f"{each} ") != 1:
                self.wrong(f"{each!r} is on the screen {whole.count(each)} times")
        self.talk += new
        said = " ".join(self.talk)
        if more := [line for line in lines if line not in said and not USUAL.fullmatch(line)]:
            self.wrong(f"on the screen beside the talk: {more}")

    def run(self) -> None:
        """Act after act until the time is up."""
        acts = (
            self.in_a_line,
            partial(self.in_a_line, "resume", "--last"),
            self.on_the_full_screen,
            partial(self.on_the_full_screen, "resume", "--last"),
        )
        for act in cycle(acts):
            try:
                act()
            except AssertionError as error:
                self.wrong(str(error))
            if clock.monotonic() > self.end:
                return
            self.pause(Event().wait)

    def summary(self) -> str:
        """What happened behind the screens."""
        ran = Counter(self.desk.turns())
        done = Counter(
            each["done"] for each in json.loads(self.desk.rotate("why", "--last", "500", "--json"))["requests"]
        )
        if sum(ran.values()) != self.asked:
            self.wrong(f"{self.asked} questions made {sum(ran.values())} turns upstream")
        if set(done) != {"delivered"}:
            self.wrong(f"the pool's history says {dict(done)}")
        several = [each for each in self.proxies if len(each) != 1]
        if several:
            self.wrong(f"proxies in a turn: {several}")
        return (
            f"{self.asked} questions, {sum(ran.values())} turns upstream ({dict(ran)}), history {dict(done)}, "
            f"{len(frozenset().union(*self.proxies))} proxies, {len(self.faults)} faults"
        )


def main() -> int:
    """Both users at the same time."""
    seconds = float(sys.argv[1]) * 60 if sys.argv[1:] else 600.0
    binary = find_client({})
    if not binary:
        sys.stderr.write("The official CLI is missing: run `make codex`.\n")
        return 1

    def play(item: tuple[str, str]) -> Play:
        name, transport = item
        with (
            tempfile.TemporaryDirectory(prefix="codex-rotate ") as folder,
            open_desk(Path(binary), Path(folder) / "a desk", transport) as desk,
        ):
            desk.trust_folder()
            desk.upstream.pace(ANY_ACCOUNT, SLOW)
            user = Play(name, desk, clock.monotonic() + seconds)
            user.run()
            user.tell(user.summary())
            return user

    with ThreadPoolExecutor() as pool:
        users = list(pool.map(play, TRANSPORTS.items()))
    faults = sum(len(user.faults) for user in users)
    sys.stdout.write(f"{sum(user.asked for user in users)} questions, {faults or 'no'} faults.\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
