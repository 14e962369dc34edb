"""`doctor`: codex-rotate itself and what it runs on."""

import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from cli.doctor.finding import Findings, ok, problem
from config.version import current

LOWEST: Final = (12, 2)
BELOW: Final = (12, 4)
"""The releases of mitmproxy that this one is for, as pyproject.toml asks for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`mitmproxy` is "" where it is not installed."""

    own: str
    python: str
    mitmproxy: str


def gather() -> Program:
    try:
        found = version("mitmproxy")
    except PackageNotFoundError:
        found = ""
    return Program(own=current(), python=platform.python_version(), mitmproxy=found)


def versions(program: Program) -> Findings:
    wanted = f"mitmproxy {'.'.join(map(str, LOWEST))} or newer, below {'.'.join(map(str, BELOW))}"
    numbers = tuple(int(part) for part in re.findall(r"\d+", program.mitmproxy)[:3])
    if not LOWEST <= numbers < BELOW:
        what = f"mitmproxy {program.mitmproxy or 'is not installed'}: codex-rotate needs {wanted}."
        yield problem("program.mitmproxy", what, "Install codex-rotate again, in an environment of its own.")
    what = f"codex-rotate {program.own} with mitmproxy {program.mitmproxy or 'missing'} on Python {program.python}."
    yield ok("program.version", what)
