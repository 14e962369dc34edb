"""The only module that starts programs of ours or the client's: argument lists, never a shell; only what we started is
ended."""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from config import proxy_files
from config.errors import RotateError
from config.paths import PRIVATE_FILE

LAST_LINES: Final = 20
STOP_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 1.0
"""After so long a server is asked once more to end, which it does at once then, whatever it is in the middle of."""
ENDING: Final = ("SIGINT", "SIGTERM", "SIGHUP")
PASSED_ON: Final = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


class ProgramFailed(RotateError):
    """A program of ours did not start or stopped early: which one, and what it said last."""

    def __init__(self, program: str, said: Sequence[str]) -> None:
        words = " / ".join(line.strip() for line in said if line.strip()) or "nothing"
        super().__init__(f"{program} did not start. Its last words: {words}. Mend that and run the command again.")


type Program = subprocess.Popen[bytes]


class StillRunning(Exception):
    """A program has not ended."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ran to its end. `code` is None when it took too long and was ended."""

    code: int | None
    out: str
    err: str


def run(argv: Sequence[str], env: Mapping[str, str], folder: Path, seconds: float) -> Finished:
    """Run a program without input, for at most so many seconds."""
    try:
        done = subprocess.run(
            list(argv),
            env=dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",  # what a foreign program says need not be in our encoding
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        return Finished(None, _text(e.stdout), _text(e.stderr))
    return Finished(done.returncode, done.stdout, done.stderr)


def foreground(argv: Sequence[str], env: Mapping[str, str], *, quiet: bool = False) -> int:
    """Run a program in our place: with our input and output, and with the signals we get. Its exit code.

    A hang-up is passed on as a request to end: not every program has a way to end in order for it. A signal that was
    being ignored stays so. `quiet` leads its output to ours for
    errors, so that stdout holds nothing else.
    """
    passing = _Passing()

    def forward(number: int, _: object) -> None:
        passing.add(signal.SIGTERM if signal.Signals(number).name == "SIGHUP" else number)

    numbers = [signal.Signals[name] for name in ENDING if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, forward)
        passing.process = process = subprocess.Popen(list(argv), env=dict(env), stdout=sys.stderr if quiet else None)
        passing.deliver()
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def detached(argv: Sequence[str], env: Mapping[str, str], log: Path) -> Program:
    """Start a program that outlives us and gets none of our terminal's signals. Its output goes to a private file."""
    own_group: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    # appended to for as long as the program runs, so it cannot be written under another name first
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
    try:
        return subprocess.Popen(
            list(argv), env=dict(env), stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, **own_group
        )
    finally:
        os.close(handle)


def ending(program: Program, seconds: float) -> int:
    """The code with which a program that we have started ended, negative for a signal. Waits for so long at most.
    Raises StillRunning."""
    try:
        return program.wait(seconds)
    except subprocess.TimeoutExpired:
        raise StillRunning from None


def ask_to_end(number: int) -> None:
    """Ask a program that a command of ours has started to end; on Windows it ends at once. Raises PermissionError."""
    with suppress(ProcessLookupError):
        os.kill(number, signal.SIGTERM)


def runs(number: int) -> bool:
    """Whether there is such a process. On Windows nobody asks: a signal 0 would end it."""
    return bool(proxy_files.runs(number))


def child(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a program as if it had been started in our place. Its exit code, as a shell gives it. Raises OSError.

    It has our terminal. What the terminal sends goes to both of us, and is for the program; what only we are sent is
    passed on. A signal that was being ignored stays so.
    """
    for_both = _sent_by_terminal()
    passing = _Passing()

    def pass_on(number: int, _: object) -> None:
        if number not in for_both:
            passing.add(number)

    numbers = [signal.Signals[name] for name in PASSED_ON if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, pass_on)  # a handler, unlike SIG_IGN, is not inherited
        passing.process = process = subprocess.Popen(list(argv), env=dict(env))
        passing.deliver()
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


class _Passing:
    """Signals on their way to a program, in their order, also those that come before it has started."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._waiting: deque[int] = deque()
        self._delivering = False

    def add(self, number: int) -> None:
        self._waiting.append(number)
        self.deliver()

    def deliver(self) -> None:
        if self.process is None or self._delivering:  # a handler may come in the middle of another one
            return
        self._delivering = True
        while self._waiting:
            with suppress(ProcessLookupError):
                self.process.send_signal(self._waiting.popleft())
        self._delivering = False


def _sent_by_terminal() -> frozenset[int]:
    """The signals that our terminal sends to us and our children alike."""
    if os.name != "posix":
        return frozenset({signal.SIGINT})
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return frozenset()
    try:
        ours = os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        ours = False
    finally:
        os.close(terminal)
    return frozenset({signal.SIGINT, signal.SIGQUIT}) if ours else frozenset()


def _text(output: bytes | str | None) -> str:
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else output or ""


class Background:
    """A program that serves until it is told to stop. Its output is read all the time and the last lines are kept."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._name = Path(argv[0]).name
        self._said: deque[str] = deque(maxlen=LAST_LINES)
        self._reader: threading.Thread | None = None
        self._process = subprocess.Popen(
            list(argv),
            env={**env, "PYTHONUNBUFFERED": "1"},  # a line is read when it is said, not when a buffer is full
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(AGAIN_SECONDS)
            self._process.terminate()
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def wait_for(self, words: Sequence[str]) -> list[str]:
        """Read on until each of these has been said; gives the lines that said them. Raises ProgramFailed otherwise."""
        assert self._process.stdout is not None
        found: dict[str, str] = {}
        for line in self._process.stdout:
            self._said.append(line)
            found.update({word: line for word in words if word in line})
            if len(found) == len(words):
                self._reader = threading.Thread(target=self._drain, name=f"{self._name} output", daemon=True)
                self._reader.start()
                return [found[word] for word in words]
        raise ProgramFailed(self._name, list(self._said))

    def _drain(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line)
