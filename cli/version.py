"""`--version`."""

from cli.result import Result
from config.version import current


def show_version() -> Result:
    """The version, alone."""
    found = current()
    return Result(f"codex-rotate {found}", data={"version": found})
