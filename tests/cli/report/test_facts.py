"""A report is put together from values in which names are numbers already; nothing is asked and nothing is changed."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.choice.decision_record import DECISION
from accounts.choice.quota import Window
from accounts.model import Account, Cooldown, Event
from accounts.store.store import EVENTS_KEPT, Store
from cli.report.facts import DECISIONS_SHOWN, Names, lines_of, made
from config import clock
from tests.cli.doctors import fake_codex, private
from tests.cli.plants import VARIABLES

type Fill = Callable[..., tuple[Account, ...]]


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake_codex(tmp_path / "bin")))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def report() -> dict[str, Any]:
    """As somebody gets it: strictly JSON."""
    return json.loads(json.dumps(made(os.environ, clock.now()).data, allow_nan=False))  # type: ignore[no-any-return]


def test_numbers_are_the_same_everywhere() -> None:
    names = Names({"ann": "account-1"})
    assert [names.account(each) for each in ("gone", "ann", "other", "gone")] == [
        "former-account-1", "account-1", "former-account-2", "former-account-1",
    ]  # fmt: skip
    assert [names.thread(each) for each in ("t", "", "u", "t")] == ["thread-1", "", "thread-2", "thread-1"]


def test_accounts_with_all_that_matters_and_no_name(home: Path, fill: Fill) -> None:
    ann, bob = fill("annabel-7", "bobby-8", plan="pro")
    now = clock.now()
    with Store(home / "pool.db") as store:
        store.set_cooldown(ann.key, Cooldown(until=now + 900, reason="usage_limit", since=now))
        seen = Window(family="codex", minutes=300, used_percent=4.0, resets_at=now + 9, seen_at=now)
        store.set_windows(bob.key, (seen,))
        store.choose_account(bob.key).result()
    found = report()
    one, two = found["accounts"]
    assert (one["account"], one["state"], one["reason"]) == ("account-1", "resting", "usage_limit")
    assert one["until"] == now + 900
    assert (two["plan"], two["windows"][0]["used_percent"], found["chosen"]) == ("pro", 4.0, "account-2")
    assert not any(name in json.dumps(found) for name in ("annabel", "bobby", "acct-", "@example"))


def test_settings_with_their_source_and_without_their_password(
    home: Path, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill("ann", "bob")
    private(home / "config.toml", 'upstream_proxy = "http://joe:hunter2@proxy.test:1"\npark_seconds = 7\n')
    monkeypatch.setenv("CODEX_ROTATE_STRATEGY", "pinned")
    monkeypatch.setenv("CODEX_ROTATE_PINNED_ACCOUNT", "bob")
    found = report()["settings"]
    assert found["upstream_proxy"] == {"value": "http://proxy.test:1", "source": "file"}
    assert found["strategy"] == {"value": "pinned", "source": "environment"}
    assert found["pinned_account"] == {"value": "account-2", "source": "environment"}
    assert found["defer_percent"]["source"] == "default"
    monkeypatch.setenv("CODEX_ROTATE_PINNED_ACCOUNT", "jane.roe@corp.example")
    assert "jane" not in json.dumps(report()["settings"])


def test_findings_are_those_of_doctor_with_numbers_for_names(home: Path, fill: Fill) -> None:
    """And without a request: that nothing was tried is said."""
    fill("ann's own ünïcode label", "bob")
    found = report()["findings"]
    said = {each["name"]: each["what"] for each in found}
    assert said["accounts.ready"] == "2 of 2 accounts can serve now: account-1, account-2."
    assert "Nothing was sent" in said["probe.proxy"]
    assert str(home) not in json.dumps(found)


@pytest.mark.parametrize("detail", ["", "null", "{", "[" * 99_999, '{"attempts": 7}', "\x00\ufffd"])
def test_records_of_other_versions_do_no_harm(home: Path, fill: Fill, detail: str) -> None:
    fill("ann")
    with Store(home / "pool.db") as store:
        store.record(Event(at=1.0, kind=DECISION, detail=detail))
        store.record(Event(at=2.0, kind="\x1b[2J", thread="ü")).result()
    found = made(os.environ, clock.now())
    assert len(found.events) == 2
    assert all(json.loads(line) for line in lines_of(found.events).splitlines())
    assert report()["requests"]["requests"] == 1


@pytest.mark.serial
def test_a_full_history_is_bounded_in_time_and_in_the_report(home: Path, fill: Fill) -> None:
    fill("ann", "bob")
    tries = [{"account": who, "why": "w", "kind": "ok", "detail": "200", "seconds": 1} for who in ("ann", "bob")]
    detail = json.dumps({"done": "delivered", "model": "gpt-5", "seconds": 1, "attempts": tries})
    with Store(home / "pool.db") as store:
        events = (Event(at=float(at), kind=DECISION, thread=f"t{at % 9}", detail=detail) for at in range(6000))
        store.record(*events).result()
    began = clock.monotonic()
    found = made(os.environ, clock.now())
    assert clock.monotonic() - began < 20
    assert len(found.events) == EVENTS_KEPT
    shown = found.data["decisions"]
    assert isinstance(shown, list)
    assert len(shown) == DECISIONS_SHOWN


def test_it_changes_nothing_and_makes_nothing(home: Path, fill: Fill) -> None:
    report()
    assert not home.exists()
    fill("ann")
    with Store(home / "pool.db") as store:
        before = (store.accounts(), store.events(9), store.counters())
    report()
    with Store(home / "pool.db") as store:
        assert (store.accounts(), store.events(9), store.counters()) == before
