"""What codex-rotate runs on."""

import tomllib

import pytest

from cli.doctor.program import BELOW, LOWEST, Program, gather, versions
from tests.cli.doctors import OK, PROBLEM, short
from tests.harness import ROOT


@pytest.mark.parametrize(
    ("installed", "states"),
    [("12.2.3", [OK]), ("12.2", [OK]), ("12.3.10.dev", [OK]), ("12.1.9", [PROBLEM, OK]), ("12.4.0", [PROBLEM, OK]),
     ("12.10.0", [PROBLEM, OK]), ("13.0.0", [PROBLEM, OK]), ("", [PROBLEM, OK])],
)  # fmt: skip
def test_the_release_of_mitmproxy(installed: str, states: list[object]) -> None:
    found = short(versions(Program(own="1", python="3", mitmproxy=installed)))
    assert [state for _, state in found] == states


def test_the_range_is_the_one_that_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = f"mitmproxy>={'.'.join(map(str, LOWEST))},<{'.'.join(map(str, BELOW))}"
    assert wanted in project["dependencies"]


def test_this_one_is_fine() -> None:
    assert [state for _, state in short(versions(gather()))] == [OK]
