"""Which codex-rotate this is."""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cli.result import Result


def show_version() -> Result:
    """The version, from the clone this runs in, else from the installed package."""
    found = _of_clone(Path(__file__).resolve().parent.parent / "pyproject.toml") or _of_package()
    return Result(f"codex-rotate {found}", data={"version": found})


def _of_clone(file: Path) -> str | None:
    """None for a folder that is not our clone: an installed package lies beside other people's files."""
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
