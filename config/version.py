"""Which codex-rotate this is, and which official client it was tried with."""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

CLIENT: Final = "0.171.0"
"""The newest official client that this release was tried with: the one of tests/e2e."""

CLONE = Path(__file__).resolve().parent.parent / "pyproject.toml"


def current(file: Path = CLONE) -> str:
    """The version, from the clone this runs in, else from the installed package."""
    return _of_clone(file) or _of_package()


def _of_clone(file: Path) -> str | None:
    """None for a folder that is not our clone, as an installation's is not."""
    try:
        project = tomllib.loads(file.read_text("utf-8")).get("project", {})
    except (OSError, ValueError):
        return None
    return str(project["version"]) if project.get("name") == "codex-rotate" else None


def _of_package() -> str:
    try:
        return version("codex-rotate")
    except PackageNotFoundError:
        return "unknown"
