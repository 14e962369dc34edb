"""`status` says in a few lines whether the pool can serve; `script` says where the proxy lies."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.errors import RotateError
from accounts.model import Cooldown, Event, Standing
from accounts.store import Store
from accounts.turn import DECISION
from cli.status_commands import EVENTS_SHOWN, script, status

type Run = Callable[..., Any]
type Fill = Callable[..., Any]


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


def test_an_empty_pool_is_nothing_usable(run: Run, home: Path) -> None:
    """Exit code 3, with the way out; the home folder is named."""
    ran = run("status")
    assert ran.code == 3
    assert str(home) in ran.out
    assert "codex-rotate import" in ran.out
    ran = run("status", "--json")
    assert (ran.code, ran.json["accounts"]["ready"]) == (3, 0)


def test_a_request_is_told_from_account_to_account(store: Store, fill: Fill, home: Path) -> None:
    """In words; the record itself is for programs."""
    (account,) = fill("ann")
    tries = [{"account": "ann", "why": "w", "kind": "usage_limit", "detail": "429", "seconds": 0.2},
             {"account": "bob", "why": "w", "kind": "ok", "detail": "", "seconds": 1.1}]  # fmt: skip
    told = {"done": "delivered", "model": "gpt", "seconds": 1.31, "attempts": tries}
    store.record(Event(at=9.0, kind=DECISION, key=account.key, detail=json.dumps(told))).result()
    lines = status(store, home, "https://chatgpt.com/backend-api", now=10.0).message.splitlines()
    assert lines[-1].endswith("request for gpt: ann usage limit → bob ok; delivered after 1.3 s")


def test_counts_next_reset_and_events(store: Store, fill: Fill, home: Path) -> None:
    """Accounts by state, the earliest reset with its account, the newest events first, by label."""
    keys = {account.label: account.key for account in fill("ann", "bob", "eve", "dead")}
    store.set_cooldown(keys["bob"], Cooldown(until=300, reason="x"))
    store.set_cooldown(keys["eve"], Cooldown(until=200, reason="x"))
    store.set_standing(keys["dead"], Standing.NEEDS_LOGIN)
    for at in range(EVENTS_SHOWN + 1):
        store.record(Event(at=float(at), kind="cooldown_set", key=keys["bob"], detail=f"n{at}"))
    store.flush()
    result = status(store, home, "https://chatgpt.com/backend-api", now=100.0)
    assert result.exit_code == 0
    lines = result.message.splitlines()
    assert lines[:3] == [
        f"Home        {home}",
        "Backend     https://chatgpt.com/backend-api",
        "Accounts    1 ready, 2 resting, 1 needs login",
    ]
    assert lines[3].endswith("(eve)")
    assert len(lines) == 4 + EVENTS_SHOWN
    assert "cooldown set  bob  n5" in lines[4]
    assert isinstance(result.data, dict)
    assert result.data["next_reset"] == 200.0
    assert result.data["events"][0] == {
        "at": 5.0, "kind": "cooldown_set", "account": "bob", "thread": "", "detail": "n5",
    }  # fmt: skip


@pytest.mark.parametrize(("rests", "said"), [(True, "Wait for the next reset"), (False, "codex-rotate list")])
def test_a_pool_of_which_nothing_is_ready(store: Store, fill: Fill, home: Path, rests: bool, said: str) -> None:
    """Exit code 3 too, and the advice depends on whether waiting helps."""
    (account,) = fill("ann")
    if rests:
        store.set_cooldown(account.key, Cooldown(until=200, reason="x")).result()
    else:
        store.update_account(account.key, enabled=False).result()
    result = status(store, home, "x", now=100.0)
    assert result.exit_code == 3
    assert said in result.message


def test_settings_are_in_force(run: Run, fill: Fill, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend is the one from config.toml or the environment, and a mistake there is wrong usage."""
    fill("ann")
    (home / "config.toml").write_text('chatgpt_base_url = "https://other.example.com"\n')
    assert run("status", "--json").json["backend"] == "https://other.example.com"
    monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URI", "x")
    ran = run("status")
    assert (ran.code, ran.out) == (2, "")
    assert "Did you mean CODEX_ROTATE_CHATGPT_BASE_URL?" in ran.err


def test_script(run: Run, tmp_path: Path) -> None:
    """An absolute path on a line of its own, fit for `mitmdump -s "$(codex-rotate script)"`."""
    (tmp_path / "rotate.py").touch()
    result = script(tmp_path)
    assert result.message == str(tmp_path / "rotate.py")
    assert result.data == {"script": result.message}
    printed = Path(run("script").out.removesuffix("\n"))
    assert printed.is_absolute()
    assert printed.name == "rotate.py"


def test_script_of_an_incomplete_installation(tmp_path: Path) -> None:
    """A path that does not exist is never printed."""
    with pytest.raises(RotateError, match="Install codex-rotate again"):
        script(tmp_path)
