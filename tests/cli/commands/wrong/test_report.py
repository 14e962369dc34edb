"""A report can be pasted anywhere: it says how things stand, and nothing that is secret is in it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.model import Account
from tests.cli.plants import Planted, planted_machine

type Run = Callable[..., Any]
type Fill = Callable[..., tuple[Account, ...]]


@pytest.fixture
def plants(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    return planted_machine(tmp_path, home, monkeypatch)


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_none_of_what_was_planted_is_in_it(plants: Planted, run: Run, tmp_path: Path, words: list[str]) -> None:
    ran = run("report", *words)
    assert (ran.code, plants.seen_in(ran.out + ran.err)) == (0, [])
    assert re.findall(r"\S*@[\w.]+", ran.out) in ([], ["@openai"])
    ran = run("report", *words, "--out", tmp_path / "out")
    assert (ran.code, plants.seen_in((tmp_path / "out").read_text() + ran.out)) == (0, [])


def test_every_part_is_there(plants: Planted, run: Run) -> None:
    text = run("report").out
    for words in (
        "Versions\n  codex-rotate ",
        "Settings\n  strategy = pinned (file)",
        "upstream_proxy = http://proxy.example:3128 (file)",
        "Accounts\n  account-1  pro  ready",
        "Proxies\n  none runs",
        "Requests\n  1 since ",
        "account-1 usage limit → former-account-1 ok; delivered after 2.0 s",
        "Findings\n",
    ):
        assert words in text
    data = run("report", "--json").json
    assert data.keys() >= {"versions", "settings", "accounts", "certificate", "proxies", "decisions", "findings"}


def test_a_file_holds_what_would_have_been_shown(run: Run, fill: Fill, tmp_path: Path) -> None:
    """For its owner only, and never in the place of another one."""
    fill("ann")
    ran = run("report", "--json", "--out", tmp_path / "r.json")
    assert ran.json == {"file": str(tmp_path / "r.json")}
    assert json.loads((tmp_path / "r.json").read_text())["accounts"][0]["account"] == "account-1"
    assert (tmp_path / "r.json").stat().st_mode & 0o777 == 0o600
    assert run("report", "--out", tmp_path / "r.json").code == 2
    assert run("report", "--out", tmp_path).code == 2
    assert run("report", "--out", tmp_path / "none" / "r").code == 1


def test_a_machine_without_anything_can_be_reported(run: Run, home: Path) -> None:
    ran = run("report")
    assert (ran.code, "Accounts\n  none" in ran.out, home.exists()) == (0, True, False)
