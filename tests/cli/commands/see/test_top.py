"""`top` as a command; the screen has its own tests in tests/cli/top/."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.store import trouble_notes
from accounts.store.trouble_notes import TroubleNote
from cli.top import terminal
from cli.top.terminal import NothingShows

type Run = Callable[..., Any]
type Fill = Callable[..., Any]


def test_without_a_terminal_it_says_what_to_run_instead(run: Run, fill: Fill) -> None:
    fill("ann")
    ran = run("top")
    assert (ran.code, ran.out) == (1, "")
    assert "needs a terminal" in ran.err
    assert "codex-rotate top --json" in ran.err


def test_for_programs_all_of_it_once(run: Run, fill: Fill) -> None:
    fill("ann", "bob")
    told = run("top", "--json").json
    assert [each["label"] for each in told["accounts"]] == ["ann", "bob"]
    assert told["accounts"][0]["state"] == run("list", "--json").json[0]["state"]
    assert (told["turns"], told["proxies"], told["history"]) == ([], [], [])


def test_without_textual_it_says_how_to_get_it(
    run: Run, fill: Fill, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And programs need none."""
    fill("ann")
    for name in [each for each in sys.modules if each.partition(".")[0] == "textual" or each.startswith("cli.top.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "textual", None)
    monkeypatch.setattr(terminal, "check", lambda: None)
    ran = run("top")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.strip() == f"codex-rotate: {NothingShows()}"
    assert "pip install '.[top]'" in ran.err
    assert run("top", "--json").code == 0


def test_looking_makes_no_new_file_where_a_proxy_serves_from_memory(run: Run, home: Path) -> None:
    proxies = home / "proxies"
    proxies.mkdir(parents=True)
    trouble_notes.leave(proxies, TroubleNote(os.getpid(), "is not there any more"))
    ran = run("top", "--json")
    assert ran.code == 1
    assert "serves from memory" in ran.json["error"]
    assert not (home / "pool.db").exists()
