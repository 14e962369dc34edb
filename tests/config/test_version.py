"""The version is the one of the code that runs."""

import json
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from config import version

ROOT = Path(__file__).resolve().parents[2]


def test_of_the_clone() -> None:
    """In a clone, pyproject.toml says it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert version.current() == project["version"]


def test_the_client_that_was_tried_is_the_one_of_the_end_to_end_tests() -> None:
    wanted = json.loads((ROOT / "tests" / "e2e" / "package.json").read_text("utf-8"))
    assert wanted["dependencies"]["@openai/codex"] == version.CLIENT


@pytest.mark.parametrize("beside", [None, "not [toml", '[project]\nname = "other"\nversion = "9"'])
def test_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: str | None) -> None:
    """Installed, the package's metadata says it, whatever lies beside it; without any it is unknown."""
    file = tmp_path / "pyproject.toml"
    if beside is not None:
        file.write_text(beside)
    monkeypatch.setattr(version, "version", lambda name: f"1.2.3 of {name}")
    assert version.current(file) == "1.2.3 of codex-rotate"

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(version, "version", missing)
    assert version.current(file) == "unknown"
