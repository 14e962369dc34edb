"""`use`: one account for everybody. What stands in its way is said, and does not stop the choice."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.model import Account, Cooldown, Standing
from accounts.store.store import Store
from cli.commands.use.use import choose_account
from config.times.local_time import clock_time

type Run = Callable[..., Any]
type Fill = Callable[..., tuple[Account, ...]]

NOW = 1_800_000_000.0


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


def chosen(home: Path) -> str:
    with Store(home / "pool.db") as store:
        return store.chosen_account()


def kinds(home: Path) -> list[str]:
    """What the history says, oldest first."""
    with Store(home / "pool.db") as store:
        return [event.kind for event in reversed(store.events(99))]


@pytest.mark.parametrize("name", ["bob", "BOB", "bo", "bob@example.com", "acct-bob", "2"])
def test_an_account_is_chosen_by_any_of_its_names(run: Run, fill: Fill, home: Path, name: str) -> None:
    keys = [account.key for account in fill("ann", "bob")]
    ran = run("use", name)
    assert (ran.code, ran.err) == (0, "")
    assert "everybody uses bob (bob@example.com)" in ran.out
    assert ran.out.endswith("End it: codex-rotate use --auto\n")
    assert chosen(home) == keys[1]
    assert kinds(home) == ["chosen"]


def test_choosing_twice_and_ending_twice(run: Run, fill: Fill, home: Path) -> None:
    """What is so already is said, changes nothing, and is not written into the history."""
    fill("ann", "bob")
    assert run("use", "ann", "--json").json["changed"] is True
    assert run("use", "ann", "--json").json["changed"] is False
    assert "everybody uses bob" in run("use", "bob").out
    told = run("use", "--auto", "--json").json
    assert told == {
        "chosen": None,
        "account_id": None,
        "changed": True,
        "hindrance": None,
        "settings_pin": None,
    }
    assert run("use", "--auto", "--json").json["changed"] is False
    assert chosen(home) == ""
    assert kinds(home) == ["chosen", "chosen", "choice_ended"]


def test_without_an_account_it_shows_the_choice(run: Run, fill: Fill, home: Path) -> None:
    """And changes nothing."""
    fill("ann")
    assert "No account was chosen: the pool chooses for each thread" in run("use").out
    run("use", "ann")
    assert "Everybody uses ann (ann@example.com)." in run("use").out
    assert run("use", "--json").json == {
        "chosen": "ann",
        "account_id": "acct-ann",
        "changed": False,
        "hindrance": None,
        "settings_pin": None,
    }
    assert kinds(home) == ["chosen"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("ann", "--auto"), 2, "not both"),
        (("nobody",), 2, "There is no account 'nobody'"),
        (("a",), 2, "ann (1), amy (2)"),
        (("",), 2, "There is no account ''"),
    ],
)
def test_calls_that_cannot_work_change_nothing(
    run: Run, fill: Fill, home: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    fill("ann", "amy")
    ran = run("use", *words)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert chosen(home) == ""


def test_an_empty_pool(run: Run) -> None:
    assert run("use").code == 3
    assert run("use", "ann").code == 2
    assert run("use", "--auto").code == 0


# --- what stands in its way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"enabled": False}, "`codex-rotate resume ann`"),
        ({"standing": Standing.NEEDS_LOGIN}, "Run `codex-rotate login`"),
        ({"standing": Standing.DEACTIVATED}, "Choose another account"),
    ],
)
def test_an_account_that_cannot_serve_is_chosen_with_a_warning(
    run: Run, fill: Fill, home: Path, changes: dict[str, object], said: str
) -> None:
    (ann,) = fill("ann")
    with Store(home / "pool.db") as store:
        store.update_account(ann.key, **changes).result()
    ran = run("use", "ann")
    assert ran.code == 0
    assert said in ran.err
    assert chosen(home) == ann.key
    assert said in run("use", "--json").json["hindrance"]


def test_a_rest_is_told_with_its_end(store: Store, fill: Fill) -> None:
    """A short rest after a stumble is none: such an account serves when there is no other."""
    ann, bob = fill("ann", "bob")
    store.set_cooldown(ann.key, Cooldown(until=NOW + 60, reason="usage_limit", since=NOW))
    store.set_cooldown(bob.key, Cooldown(until=NOW + 10, reason="server_error", since=NOW)).result()
    (note,) = choose_account(store, "ann", "", NOW).notes
    assert f"resting until {clock_time(NOW + 60, NOW)} (usage limit). `codex-rotate use --auto`" in note
    assert choose_account(store, "bob", "", NOW).notes == ()
    assert choose_account(store, "ann", "", NOW + 60).notes == ()


# --- with strategy pinned --------------------------------------------------------------------------------------------


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_ROTATE_STRATEGY", "pinned")
    monkeypatch.setenv("CODEX_ROTATE_PINNED_ACCOUNT", "bob")


@pytest.mark.usefixtures("pinned")
def test_the_settings_pin_an_account_too(run: Run, fill: Fill) -> None:
    """The choice goes before the settings; which of them counts is said each time."""
    fill("ann", "bob")
    assert "No account was chosen: the settings pin bob (strategy = pinned)" in run("use").out
    ran = run("use", "ann")
    assert "The settings pin bob (strategy = pinned). `use` goes before them" in ran.err
    assert run("use", "--json").json["settings_pin"] == "bob"
    assert "from the next request on the settings pin bob" in run("use", "--auto").out


def test_a_broken_configuration_stops_it(run: Run, fill: Fill, home: Path) -> None:
    """No proxy starts with it either."""
    fill("ann")
    (home / "config.toml").write_text("strategy = 5\n")
    assert run("use", "ann").code == 2
    assert chosen(home) == ""
