"""The upstream and the proxies of one run: programs of their own, in a folder that goes with them."""

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from accounts.store.store import Store
from benchmarks import upstream
from benchmarks.cases import Case, named
from benchmarks.load import TOKEN_LENGTH, Target
from benchmarks.pages import open_pages
from benchmarks.scripts import lead, recorded, streamed
from cli.running import processes, proxy_command
from config.page.token import known_token
from tests.builders import DAY, HOUR, WEEK_MINUTES, account, credentials, window

ROOT: Final = Path(__file__).resolve().parent.parent
CODEX_ROTATE: Final = Path(sys.executable).with_name("codex-rotate")
START_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.02
PAGE: Final = re.compile(r"the page is at (http://\S+/);")
LISTENING: Final = re.compile(r"proxy listening at 127\.0\.0\.1:(\d+)")
_KEPT: Final = ("PATH", "LANG", "LC_ALL", "TMPDIR")
_MITMDUMP: Final = "from mitmproxy.tools.main import mitmdump; mitmdump()"
_SHARED: Final = "from benchmarks.scripts.lead import share_port; share_port(); "


class DidNotStart(Exception):
    """A program of the bench ended early or took too long; the message holds its last words."""


class Program(Protocol):
    """A process that was started."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Running:
    """A case that is up. Without programs it is the upstream itself."""

    case: Case
    target: Target
    programs: tuple[Program, ...] = ()
    folder: Path = Path()

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(program.pid for program in self.programs)

    def tell(self) -> None:
        """Tell its processes that it is this case's turn, if they are another one's too."""
        if self.case.signal:
            for pid in self.pids:
                os.kill(pid, signal.Signals[self.case.signal])


class Rig:
    """One upstream, and the proxies that are started in front of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self._programs: list[Program] = []
        self.pages: list[asyncio.Task[None]] = []
        self._numbers = 0

    async def prepare(self) -> None:
        """Start the upstream, and make the certificate authority of the proxies as `serve` does."""
        program, log = self._begin([sys.executable, "-m", "benchmarks.upstream", str(self.folder)], Path("up"), "0")
        self.upstream_port = int((await said(program, log, re.escape(upstream.SAYS) + r"(\d+)"))[1])
        self.command_line("ca", "create")
        self.trusted = Path(self.command_line("ca", "path").strip())

    async def end_all(self) -> None:
        for page in self.pages:
            page.cancel()
        await self.end(*self._programs)

    @property
    def ca_file(self) -> Path:
        """What proxies have to trust; only their sockets lead to the upstream of the bench."""
        return self.folder / upstream.CA_FILE

    def environment(self, home: Path) -> dict[str, str]:
        """That of every program here: a home of its own, and nothing that leads elsewhere."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        own = {"HOME": str(self.folder), "CODEX_ROTATE_HOME": str(home), "CODEX_HOME": str(self.folder / "codex")}
        return {**kept, **own, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def command_line(self, *words: str) -> str:
        """What a command of ours prints. Raises DidNotStart when it fails."""
        done = processes.run([str(CODEX_ROTATE), *words], self.environment(self.home), self.folder, START_SECONDS)
        if done.code != 0:
            raise DidNotStart(f"codex-rotate {' '.join(words)}: {done.out} {done.err}")
        return done.out

    async def start(self, case: Case, within: Running | None = None) -> Running:
        """Start a case, and wait until it can be used. `within`: the one whose process it is, if that is up."""
        if case.within:
            [its] = named((case.within,))
            return replace(within or await self.start(its), case=case)
        if not case.proxied:
            return Running(case, Target(self.upstream_port, self.ca_file, proxied=False))
        self._numbers += 1
        folder = self.folder / f"case-{self._numbers}"
        folder.mkdir()
        home = folder / "home"
        if case.accounts:
            fill(home, case.accounts)
        programs, port = [], 0
        for number in range(case.workers):
            argv = arguments(case, port, self.trusted.parent, self.ca_file, folder)
            program, log = self._begin(argv, folder / f"log-{number}", str(self.upstream_port), home)
            programs.append(program)
            port = int((await said(program, log, LISTENING.pattern))[1])
            if case.accounts:
                await said(program, log, r"codex-rotate: \d+ accounts from")
            if case.signal:
                await said(program, log, recorded.SAYS)
        if case.pages:
            found = await said(programs[0], self.folder / folder / "log-0", PAGE.pattern)
            token = known_token({"CODEX_ROTATE_HOME": str(home)})
            self.pages += await open_pages(f"{found[1]}?token={token}", case.pages)
        return Running(case, Target(port, self.trusted, proxied=True), tuple(programs), folder)

    async def end(self, *programs: Program) -> None:
        """End programs that were started here."""
        for program in programs:
            if program.poll() is None:
                program.terminate()
        for program in programs:
            with suppress(TimeoutError):
                async with asyncio.timeout(START_SECONDS):
                    await asyncio.to_thread(program.wait)
            if program.poll() is None:
                program.kill()
        self._programs = [each for each in self._programs if each not in programs]

    def _begin(self, argv: Sequence[str], log: Path, port: str, home: Path = Path("home")) -> tuple[Program, Path]:
        file = self.folder / log
        program = processes.detached(argv, {**self.environment(home), lead.UPSTREAM: port}, file)
        self._programs.append(program)
        return program, file


@asynccontextmanager
async def rigged() -> AsyncIterator[Rig]:
    """A rig that is ready; everything ends with it."""
    rig = Rig(Path(tempfile.mkdtemp(prefix="codex-rotate-bench-")))
    try:
        await rig.prepare()
        yield rig
    finally:
        await rig.end_all()
        shutil.rmtree(rig.folder)


def arguments(case: Case, port: int, confdir: Path, ca_file: Path, folder: Path) -> list[str]:
    """The proxy of a case, as `codex-rotate serve` starts it; plain mitmdump gets another script and what ours sets."""
    argv = proxy_command.command("127.0.0.1", port, confdir, web=False)
    if not case.served:
        argv[argv.index("-c") + 1] = _MITMDUMP
    if not case.accounts:
        argv[argv.index("-s") + 1] = str(streamed.__file__)
    if case.workers > 1:
        argv[argv.index("-c") + 1] = _SHARED + argv[argv.index("-c") + 1]
    settings = [f"ssl_verify_upstream_trusted_ca={ca_file}", "connection_strategy=lazy", "upstream_cert=false"]
    if case.served:
        settings.append("flow_detail=0")
    flags = [part.format(folder=folder) for part in case.flags]
    return [*argv, "-s", str(lead.__file__), *(part for each in settings for part in ("--set", each)), *flags]


async def said(program: Program, log: Path, pattern: str) -> re.Match[str]:
    """What a program says when it can be used. Raises DidNotStart when it does not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while program.poll() is None:
                if found := re.search(pattern, await asyncio.to_thread(log.read_text, "utf-8", "replace")):
                    return found
                await asyncio.sleep(LOOK_SECONDS)
    text = await asyncio.to_thread(log.read_text, "utf-8", "replace")  # its last words, after the last look
    raise DidNotStart(f"never said {pattern!r}: {text[-2000:]}")


def fill(home: Path, accounts: int) -> None:
    """A pool of accounts with opaque tokens and two windows each, as it is when all of them have served."""
    home.mkdir(mode=0o700)
    with Store(home / "pool.db") as store:
        for number in range(accounts):
            seat = account(f"bench-{number}", plan="plus")
            access = f"access-of-{seat.label}-nobody-may-see".ljust(TOKEN_LENGTH, "-")
            store.put_account(seat, credentials(seat.label, access=access))
            used = 10.0 + number % 50
            store.set_windows(seat.key, (window(used), window(used / 2, 3 * DAY + number * HOUR, minutes=WEEK_MINUTES)))
        store.flush()
