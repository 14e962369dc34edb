"""`doctor`: the client's server in the background, which has the environment of whoever started it first.

A terminal that is led through the proxy hands its work to it all the same, and it goes where it was led long ago
(docs/codex-wire.md section 6).
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.doctor.finding import Findings, note, ok, warning
from cli.doctor.network import LEADING, At, LedTo, led_by
from config import access, paths

STOP: Final = "Run `codex app-server daemon stop`; `codex-rotate run` works without it."
PROC: Final = Path("/proc")
_MARK: Final = b"--managed-daemon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A running one. `readable`: whether its environment can be seen; `led` is where that leads it, `after_bind`
    whether it was started when the client's `.env` was as it is now, and so follows that."""

    pid: int
    readable: bool = True
    led: LedTo | None = None
    after_bind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemons:
    """`visible`: whether this system lets us look at processes; `installed`: whether the client ever made one."""

    visible: bool = True
    installed: bool = False
    running: tuple[Daemon, ...] = ()


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(environ: Mapping[str, str], system: str = sys.platform, proc: Path = PROC) -> Daemons:
    """Those of this user that serve the client's present folder."""
    installed = access.seen(paths.codex_home(environ) / "packages" / "app-server-daemon")
    if system != "linux" or not proc.is_dir():
        return Daemons(visible=False, installed=installed)
    found = (_daemon(folder, environ) for folder in sorted(proc.iterdir()) if folder.name.isdigit())
    return Daemons(installed=installed, running=tuple(each for each in found if each is not None))


def _daemon(folder: Path, environ: Mapping[str, str]) -> Daemon | None:
    """None for what is no such process, somebody else's, or one with another CODEX_HOME."""
    try:
        if folder.stat().st_uid != os.getuid():
            return None
        words = (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended meanwhile
        return None
    if _MARK not in words or b"app-server" not in words:
        return None
    try:
        given = variables((folder / "environ").read_bytes())
    except OSError:
        return Daemon(pid=int(folder.name), readable=False)
    if paths.codex_home(given) != paths.codex_home(environ):
        return None
    name = next((name for name in LEADING if given.get(name)), "")
    led = led_by(name, given[name], environ) if name else None
    return Daemon(pid=int(folder.name), led=led, after_bind=_started_after(folder, paths.codex_dotenv_file(environ)))


def variables(block: bytes) -> dict[str, str]:
    """An environment as /proc shows it. Only what leads somewhere is kept: the rest is none of our business."""
    pairs = (entry.decode("utf-8", "surrogateescape").partition("=") for entry in block.split(b"\0"))
    return {name: value for name, _, value in pairs if name in {*LEADING, "CODEX_HOME"}}


def _started_after(folder: Path, file: Path) -> bool:
    """Whether a process began when this file was as it is now."""
    with suppress(OSError, ValueError, IndexError):
        ticks = int((folder / "stat").read_text().rpartition(")")[2].split()[19])
        boot = next(line for line in (folder.parent / "stat").read_text().splitlines() if line.startswith("btime"))
        return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK") > file.stat().st_mtime
    return False


# --- judgement -------------------------------------------------------------------------------------------------------


def daemons(found: Daemons, *, bound: bool) -> Findings:
    """`bound`: whether the client's `.env` leads to a proxy of ours."""
    if not found.visible:
        if found.installed:
            what = "The client keeps a server in the background; whether it goes through a proxy cannot be seen here."
            yield note("client.daemon", what, f"If requests go past the pool: {STOP[:1].lower()}{STOP[1:]}")
        return
    if not found.running:
        yield ok("client.daemon", "No server of the client runs in the background.")
    for each in found.running:
        yield from _judged(each, bound=bound)


def _judged(daemon: Daemon, *, bound: bool) -> Findings:
    who = f"The client's server in the background (process {daemon.pid})"
    if bound and daemon.after_bind:
        yield ok("client.daemon", f"{who} was started after `codex-rotate bind` and follows it.")
    elif not daemon.readable:
        yield note("client.daemon", f"{who} does not show where it was led.", STOP)
    elif daemon.led is None:
        what = f"{who} was started without a proxy: terminals that use it go past the pool."
        yield warning("client.daemon", what, STOP)
    elif daemon.led.at is At.OURS and not daemon.led.trouble:
        yield ok("client.daemon", f"{who} goes through this pool's proxy.")
    else:
        where = daemon.led.place or "an address that cannot be used"
        answers = "nothing answers" if daemon.led.at is At.NOTHING else "no proxy of this pool is"
        what = f"{who} was led to {where}, where {answers}: terminals that use it do not reach the pool."
        yield warning("client.daemon", what, STOP)
