"""What an owner decides about accounts: done once, said in words, kept in the history; wrong input changes nothing."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.choice.quota import MAIN, Window
from accounts.errors import UsageError
from accounts.model import Account, Cooldown, Standing
from accounts.owner.changes import read_priority
from accounts.owner.values import read_percent, read_tags
from accounts.store.store import Store
from cli.commands.accounts.change import pause, reserve, resume, retag
from config.times.local_time import clock_time

type Run = Callable[..., Any]
type Fill = Callable[..., tuple[Account, ...]]

NOW = 1_800_000_000.0


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


def stored(home: Path) -> dict[str, Account]:
    with Store(home / "pool.db") as store:
        return {account.label: account for account in store.accounts()}


def history(home: Path) -> list[tuple[str, str]]:
    """Kind and detail, oldest first."""
    with Store(home / "pool.db") as store:
        return [(event.kind, event.detail) for event in reversed(store.events(99))]


# --- pause and resume ------------------------------------------------------------------------------------------------


def test_pause_and_resume(run: Run, fill: Fill, home: Path) -> None:
    """Several at once, each once, by any name. The message has the command that undoes it."""
    fill("ann", "my bob", "cy")
    ran = run("pause", "ann", "2", "ann@example.com")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("ann and my bob are paused:")
    assert ran.out.endswith("Undo it: codex-rotate resume ann 'my bob'\n")
    assert [each.enabled for each in stored(home).values()] == [False, False, True]
    ran = run("resume", "ann", "cy")
    assert ran.out.splitlines()[0].startswith("ann may serve again")
    assert ran.out.splitlines()[1] == "cy was not paused."
    assert [each.enabled for each in stored(home).values()] == [True, False, True]
    assert [kind for kind, _ in history(home)] == ["paused", "paused", "resumed"]


def test_pausing_what_is_paused(run: Run, fill: Fill, home: Path) -> None:
    fill("ann", "bob")
    assert run("pause", "ann", "--json").json == {"state": "paused", "changed": ["ann"], "unchanged": []}
    assert run("pause", "ann", "--json").json == {"state": "paused", "changed": [], "unchanged": ["ann"]}
    assert run("pause", "ann").out == "ann was paused already.\n"
    assert run("resume", "ann", "--json").json == {"state": "enabled", "changed": ["ann"], "unchanged": []}
    assert [kind for kind, _ in history(home)] == ["paused", "resumed"]


@pytest.mark.parametrize("command", ["pause", "resume"])
@pytest.mark.parametrize(("name", "said"), [("nobody", "no account 'nobody'"), ("a", "ann (1), amy (2)")])
def test_one_wrong_name_and_nothing_happens(
    run: Run, fill: Fill, home: Path, command: str, name: str, said: str
) -> None:
    fill("ann", "amy", "bob", enabled=command == "resume")
    before = stored(home)
    ran = run(command, "bob", name)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert stored(home) == before
    assert run(command).code == 2


def test_the_last_account_that_can_serve_is_paused_with_a_warning(run: Run, fill: Fill, home: Path) -> None:
    keys = [account.key for account in fill("ann", "bob", "cy")]
    with Store(home / "pool.db") as store:
        store.set_standing(keys[2], Standing.NEEDS_LOGIN).result()
    assert run("pause", "ann").err == ""
    ran = run("pause", "bob")
    assert ran.code == 0
    assert "No account is left that can serve" in ran.err


def test_when_the_others_only_rest_it_says_until_when(store: Store, fill: Fill) -> None:
    _, bob = fill("ann", "bob")
    store.set_cooldown(bob.key, Cooldown(until=NOW + 60, reason="usage_limit", since=NOW)).result()
    (note,) = pause(store, ["ann"], NOW).notes
    assert f"Nobody can serve before {clock_time(NOW + 60, NOW)}" in note


def test_pausing_the_account_that_everybody_uses(run: Run, fill: Fill) -> None:
    """Others could serve, and may not."""
    fill("ann", "bob")
    run("use", "ann")
    assert run("pause", "bob").err == ""
    run("resume", "bob")
    assert "ann is the account that everybody uses" in run("pause", "ann").err
    run("use", "--auto")
    assert run("pause", "ann").err == ""


def test_resume_says_what_else_is_wrong(store: Store, fill: Fill) -> None:
    ann, bob = fill("ann", "bob", enabled=False)
    store.set_standing(ann.key, Standing.NEEDS_LOGIN, "token_revoked").result()
    result = resume(store, ["ann", "bob"], NOW)
    assert result.notes == (
        "ann was signed out by the provider. Run `codex-rotate login` with that account: it is renewed in its place.",
    )
    assert result.message.startswith("ann and bob may serve again")
    assert bob.key in {each.key for each in store.accounts() if each.enabled}


# --- label -----------------------------------------------------------------------------------------------------------


def test_a_label_is_changed_and_its_old_one_is_in_the_history(run: Run, fill: Fill, home: Path) -> None:
    fill("ann", "bob")
    ran = run("label", "ann", "日本 team")
    assert ran.out == "ann (ann@example.com) is now called 日本 team. Use it: codex-rotate use '日本 team'\n"
    assert run("label", "1", "日本 team", "--json").json == {
        "label": "日本 team",
        "was": "日本 team",
        "account_id": "acct-ann",
        "changed": False,
    }
    assert run("label", "bob", "BOB", "--json").json["changed"] is True
    assert history(home) == [("relabelled", "was ann"), ("relabelled", "was bob")]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("BOB", "already called 'BOB'"),
        ("", "at least one visible"),
        (" x", "at least one visible"),
        ("a\tb", "at least one visible"),
        ("2", "list"),
        ("x" * 61, "longer than 60"),
    ],
)
def test_labels_that_will_not_do(run: Run, fill: Fill, home: Path, new: str, said: str) -> None:
    fill("ann", "bob")
    ran = run("label", "ann", new)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert list(stored(home)) == ["ann", "bob"]
    assert history(home) == []


def test_a_label_that_the_settings_name(run: Run, fill: Fill, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would pin nobody. A configuration that cannot be read does not keep an account from its name."""
    fill("ann")
    monkeypatch.setenv("CODEX_ROTATE_STRATEGY", "pinned")
    monkeypatch.setenv("CODEX_ROTATE_PINNED_ACCOUNT", "Ann")
    assert run("label", "ann", "ANN").err == ""
    assert "The settings still pin 'Ann'" in run("label", "ann", "work").err
    (home / "config.toml").write_text("= not toml")
    assert run("label", "work", "home").code == 0


# --- tag -------------------------------------------------------------------------------------------------------------


def test_tags_come_and_go(run: Run, fill: Fill, home: Path) -> None:
    """Adding what is there and removing what is not changes nothing. Case does not make another tag."""
    fill("ann")
    assert "has the tags eu, work" in run("tag", "ann", "+eu", "work").out
    assert run("tag", "ann", "+EU", "-other", "--json").json == {
        "label": "ann",
        "account_id": "acct-ann",
        "changed": False,
        "tags": ["eu", "work"],
    }
    assert run("tag", "ann", "-eu", "+日本", "--remove", "WORK", "--json").json["tags"] == ["日本"]
    assert "has the tags 日本" in run("tag", "ann").out
    assert "has no tags" in run("tag", "ann", "-日本").out
    assert stored(home)["ann"].tags == ()
    assert history(home) == [
        ("tags_changed", "+eu +work"),
        ("tags_changed", "+日本 -eu -work"),
        ("tags_changed", "-日本"),
    ]


@pytest.mark.parametrize("word", ["+", "-", "", "a b", "a,b", "#a", "++a", "+-a", "\x1b[2J", "x" * 31, "--nope"])
def test_words_that_cannot_be_tags(run: Run, fill: Fill, home: Path, word: str) -> None:
    fill("ann")
    ran = run("tag", "ann", word)
    assert (ran.code, ran.out) == (2, "")
    assert "\x1b" not in ran.err
    assert stored(home)["ann"].tags == ()


def test_a_tag_cannot_come_and_go_at_once() -> None:
    with pytest.raises(UsageError, match="a: to be added and taken away"):
        read_tags(["+a", "-A"], [])
    assert read_tags(["+a", "b", "-c"], ["d"]) == (("a", "b"), ("c", "d"))


# --- priority and reserve --------------------------------------------------------------------------------------------


def test_a_priority_may_be_below_zero(run: Run, fill: Fill, home: Path) -> None:
    fill("ann")
    ran = run("priority", "ann", "-5")
    assert "has priority -5 now, and had 0." in ran.out
    assert "has priority -5 already" in run("priority", "ann", "-5").out
    assert run("priority", "ann", "+7", "--json").json == {
        "label": "ann",
        "account_id": "acct-ann",
        "changed": True,
        "priority": 7,
        "was": -5,
    }
    assert stored(home)["ann"].priority == 7
    assert history(home) == [("priority_changed", "0 to -5"), ("priority_changed", "-5 to 7")]


@pytest.mark.parametrize("text", ["", "high", "1.5", "1001", "-1001", "9" * 5000, "--nope"])
def test_numbers_that_are_no_priority(run: Run, fill: Fill, text: str) -> None:
    fill("ann")
    ran = run("priority", "ann", text)
    assert (ran.code, ran.out) == (2, "")
    with pytest.raises(UsageError):
        read_priority(text)


def test_a_reserve_says_from_where_on_nothing_is_served(run: Run, fill: Fill, home: Path) -> None:
    fill("ann")
    ran = run("reserve", "ann", "20%")
    assert (ran.code, ran.err) == (0, "")
    assert "once 80 % of a quota window are used" in ran.out
    assert run("reserve", "ann", "20", "--json").json["changed"] is False
    assert "`codex-rotate pause ann` is sure" in run("reserve", "ann", "100").out
    assert "nothing is kept: the pool may use all of it" in run("reserve", "ann", "0").out
    assert stored(home)["ann"].reserve_percent == 0
    assert [detail for _, detail in history(home)] == ["0 % to 20 %", "20 % to 100 %", "100 % to 0 %"]


def test_a_reserve_that_is_reached_already_is_told(store: Store, fill: Fill) -> None:
    (ann,) = fill("ann")
    window = Window(family=MAIN, minutes=300, used_percent=85, resets_at=NOW + 60, seen_at=NOW)
    store.set_windows(ann.key, (window,)).result()
    until = clock_time(NOW + 60, NOW)
    assert reserve(store, "ann", 15, NOW).notes[0].startswith(f"ann is kept for its owner until {until}")
    assert reserve(store, "ann", 14, NOW).notes == ()


@pytest.mark.parametrize("text", ["", "-1", "101", "20.5", "a lot", "٣", "999999999"])
def test_percentages_that_are_none(run: Run, fill: Fill, text: str) -> None:
    fill("ann")
    assert run("reserve", "ann", text).code == 2
    with pytest.raises(UsageError, match="whole number from 0 to 100"):
        read_percent(text)


# --- everywhere ------------------------------------------------------------------------------------------------------


def test_two_changes_at_once_are_both_there(store: Store, fill: Fill, home: Path) -> None:
    """They touch different fields of the same account, from two processes' openings of the pool."""
    fill("ann")

    def other() -> None:
        with Store(home / "pool.db") as second:
            for number in range(20):
                reserve(second, "ann", number, NOW)

    thread = threading.Thread(target=other)
    thread.start()
    for number in range(20):
        retag(store, "ann", [f"t{number}"], [], NOW)
    thread.join()
    ann = stored(home)["ann"]
    assert (len(ann.tags), ann.reserve_percent) == (20, 19)


@pytest.mark.parametrize(
    "words",
    [
        ("pause", "x"),
        ("resume", "x"),
        ("label", "x", "y"),
        ("tag", "x", "+y"),
        ("priority", "x", "1"),
        ("reserve", "x", "1"),
    ],
)
def test_an_account_that_is_not_there(run: Run, words: tuple[str, ...]) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "codex-rotate: There is no account 'x' in the pool. Run `codex-rotate list` to see the names.\n"
    assert run(*words, "--json").json["exit_code"] == 2
