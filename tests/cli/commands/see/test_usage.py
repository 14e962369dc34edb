"""`usage`: who used how much, in a table, for programs and as a picture."""

import csv
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from accounts.ledger.records import TokenCount, TurnOutcome, TurnRecord
from accounts.ledger.usage_db import UsageDb
from cli.app import main
from config import clock
from tests.builders import DAY, HOUR
from tests.cli.ui.test_render import Terminal

type Run = Callable[..., Any]

BYS = ("person", "account", "project", "model", "thread", "day", "hour")


def record(ago: float, **changes: Any) -> TurnRecord:
    known: dict[str, Any] = {
        "person": "ann",
        "client_key": "laptop",
        "account": "work",
        "account_key": "acct-work:user",
        "project": "owner/repo",
        "thread": "t",
        "root": "t",
        "model": "gpt-5",
        "tokens": TokenCount(input=20_000, cached=15_000, output=1_000, reasoning=100),
        "attempts": 1,
    }
    return TurnRecord(when=clock.now() - ago, **(known | changes))


@pytest.fixture
def ledger(home: Path) -> Path:
    db = UsageDb(home / "usage.db")
    db.write(
        [
            record(HOUR),
            record(2 * HOUR, person="bob", account="home", account_key="acct-home:user", rotations=1, cold=5000),
            record(3 * DAY, person="", client_key="", project="", model="gpt-of-tomorrow"),
            record(30 * DAY, person="eve"),
            record(HOUR, outcome=TurnOutcome.REFUSED, rule="tokens", tokens=TokenCount()),
            record(HOUR, outcome=TurnOutcome.FAILED, tokens=TokenCount(floor=True)),
        ],
        lost=3,
        reason="the disk is full",
    )
    db.close()
    return home / "usage.db"


@pytest.mark.parametrize("by", BYS)
def test_every_grouping_is_told(run: Run, ledger: Path, by: str) -> None:
    ran = run("usage", "--by", by)
    assert ran.code == 0
    assert "turns" in ran.out
    assert "refused: tokens 1" in ran.out
    told = run("usage", "--by", by, "--json").json
    assert told["by"] == by
    assert sum(each["input_tokens"] for each in told["groups"]) == told["total"]["input_tokens"] == 60_000


def test_all_of_it_in_words(run: Run, ledger: Path) -> None:
    said = run("usage").out
    assert "at least 60k tokens in (75 % of it cached), 3k out" in said
    assert "1 switch of account, which cost 5k tokens that were not cached (cold), 8 % of all input." in said
    assert "1 turn died before saying" in said
    assert "No price is known for gpt-of-tomorrow (21k tokens)" in said
    assert "standard tier, prices of 2026-05-05: $0.04" in said


def test_what_is_missing_is_said(run: Run, ledger: Path) -> None:
    assert "3 turns could not be written to the ledger (the disk is full)" in run("usage").err


def test_a_person_and_an_account_alone(run: Run, ledger: Path) -> None:
    assert run("usage", "--person", "bob", "--json").json["total"]["turns"] == 1
    for name in ("home", "HOME", "acct-home", "acct-home:user"):
        assert run("usage", "--account", name, "--json").json["total"]["turns"] == 1


def test_an_account_of_the_pool_that_has_served_nobody_yet_is_known(
    run: Run, ledger: Path, fill: Callable[..., Any]
) -> None:
    fill("spare")
    assert run("usage", "--account", "spare", "--json").json["total"]["turns"] == 0


def test_a_group_without_a_name_is_called_something(run: Run, ledger: Path) -> None:
    assert "the owner" in run("usage", "--by", "person").out
    assert "no project" in run("usage", "--by", "project").out


def test_the_time_that_is_meant(run: Run, ledger: Path) -> None:
    assert run("usage", "--since", "90min", "--json").json["total"]["turns"] == 3
    assert run("usage", "--since", "60d", "--until", "10d", "--json").json["total"]["turns"] == 1
    assert run("usage", "--since", "60d", "--json").json["total"]["turns"] == 6


def test_prices_can_be_ones_own_and_left_out(run: Run, ledger: Path, home: Path) -> None:
    (home / "config.toml").write_text('[prices]\n"gpt-of-tomorrow" = [1, 1, 1]\n')
    told = run("usage", "--by", "model", "--json").json
    assert {each["group"]: each["cost"] for each in told["groups"]}["gpt-of-tomorrow"] == pytest.approx(0.021)
    (home / "config.toml").write_text("show_prices = false\n")
    assert "API" not in run("usage").out
    assert run("usage", "--json").json["total"]["cost"] is None


def test_csv_is_a_line_for_each_group(run: Run, ledger: Path) -> None:
    rows = list(csv.DictReader(run("usage", "--by", "person", "--csv").out.splitlines()))
    assert {row["person"]: row["input_tokens"] for row in rows} == {
        "ann": "20000", "bob": "20000", "the owner": "20000",
    }  # fmt: skip


def test_an_empty_ledger_says_how_to_begin(run: Run, home: Path) -> None:
    ran = run("usage")
    assert (ran.code, home.exists()) == (0, False)
    assert "codex-rotate run codex" in ran.out
    assert run("usage", "--json").json["groups"] == []


def test_nothing_in_a_span_is_no_error(run: Run, ledger: Path) -> None:
    assert run("usage", "--since", "5min").code == 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("--since", "soon"), "is no time. It may be 7d"),
        (("--until", "2026-02-30"), "is no time"),
        (("--since", "1d", "--until", "3d"), "is not before"),
        (("--since", "2999-01-01"), "is not before"),
        (("--person", "anne"), "no person called 'anne'. Did you mean ann?"),
        (("--person", "zzz"), "It knows ann, bob, eve"),
        (("--account", "wrok"), "no account called 'wrok'. Did you mean work?"),
        (("--by", "planet"), "planet"),
        (("--csv", "--json"), "Choose one"),
        (("--plot", "x.pdf"), ".svg or .png"),
        (("--plot", "none/x.svg"), "no folder"),
    ],
)
def test_what_cannot_be_meant_is_said(run: Run, ledger: Path, line: tuple[str, ...], says: str) -> None:
    ran = run("usage", *line)
    assert ran.code == 2
    assert says in " ".join((ran.out + ran.err).split())


def test_a_damaged_ledger_is_said_and_left_as_it_is(run: Run, ledger: Path) -> None:
    for each in ledger.parent.glob("usage.db*"):
        each.unlink()
    ledger.write_bytes(b"no database at all" * 1000)
    ran = run("usage")
    assert ran.code == 1
    assert "cannot be read as the ledger" in ran.err
    assert ledger.read_bytes().startswith(b"no database")


def test_a_newer_ledger_asks_for_a_newer_program(run: Run, ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as db:
        db.execute("PRAGMA user_version = 99")
    ran = run("usage")
    assert ran.code == 1
    assert "Upgrade" in ran.err


def test_a_picture(run: Run, ledger: Path, tmp_path: Path) -> None:
    place = tmp_path / "usage.svg"
    assert run("usage", "--plot", place).code == 0
    assert place.stat().st_size > 1000
    assert run("usage", "--plot", place).code == 2
    assert run("usage", "--by", "project", "--plot", place, "--force", "--json").json["picture"] == str(place)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_table_fits(ledger: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    assert main(["usage", "--by", "project"]) == 0
    assert max(cell_len(line) for line in screen.getvalue().splitlines()) <= width


def test_many_groups_are_not_all_shown(run: Run, home: Path) -> None:
    db = UsageDb(home / "usage.db")
    db.write([record(HOUR, person=f"person-{number:04}") for number in range(1000)])
    db.close()
    ran = run("usage", "--by", "person")
    assert "940 more are not shown" in ran.out
    assert len(run("usage", "--by", "person", "--csv").out.splitlines()) == 1001
