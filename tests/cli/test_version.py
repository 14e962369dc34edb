"""The version is the one of the code that runs."""

import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import cli.version
from cli.version import show_version


def test_of_the_clone() -> None:
    """In a clone, pyproject.toml says it."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert show_version().data == {"version": project["version"]}
    assert show_version().message == f"codex-rotate {project['version']}"


@pytest.mark.parametrize("beside", [None, "not [toml", '[project]\nname = "other"\nversion = "9"'])
def test_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: str | None) -> None:
    """Installed, the package's metadata says it, whatever lies beside it; without any it is unknown."""
    if beside is not None:
        (tmp_path / "pyproject.toml").write_text(beside)
    monkeypatch.setattr(cli.version, "__file__", str(tmp_path / "cli" / "version.py"))
    monkeypatch.setattr(cli.version, "version", lambda name: f"1.2.3 of {name}")
    assert show_version().data == {"version": "1.2.3 of codex-rotate"}

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(cli.version, "version", missing)
    assert show_version().data == {"version": "unknown"}
