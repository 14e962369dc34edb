"""`list`: what each account is doing, how much of it is used, who serves; at every width, for people and programs."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from accounts.choice.decision_record import DECISION
from accounts.choice.quota import MAIN, Window
from accounts.model import Account, Affinity, Cooldown, Credentials, Event, Standing
from accounts.store.store import Store
from cli.commands.see.list import list_accounts
from cli.ui.render import render
from config import clock

type Run = Callable[..., Any]
type Fill = Callable[..., tuple[Account, ...]]

NOON = 1_700_049_600.0
"""2023-11-15 12:00 UTC, a Wednesday."""
HOUR = 3600.0


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    if not hasattr(time, "tzset"):
        yield
        return
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """The lines that a terminal of so many columns gets; 0 for a pipe."""

    def look(store: Store, columns: int = 0) -> list[str]:
        if columns:
            monkeypatch.setenv("COLUMNS", str(columns))
        else:
            monkeypatch.delenv("COLUMNS", raising=False)
        capsys.readouterr()
        render(list_accounts(store, NOON), as_json=False)
        return capsys.readouterr().out.splitlines()

    return look


def window(used: float, resets_in: float | None = HOUR, *, minutes: int = 300, family: str = MAIN) -> Window:
    resets_at = None if resets_in is None else NOON + resets_in
    return Window(family=family, minutes=minutes, used_percent=used, resets_at=resets_at, seen_at=NOON - 60)


def data_of(store: Store) -> list[dict[str, Any]]:
    data = list_accounts(store, NOON).data
    assert isinstance(data, list)
    return data


def served(store: Store, key: str, at: float, kind: str = "ok") -> None:
    """A request of the history whose last attempt ended like this."""
    attempt = {"account": "x", "why": "", "kind": kind, "detail": "", "seconds": 1.0}
    told = {"done": "delivered", "model": "", "seconds": 1.0, "attempts": [attempt]}
    store.record(Event(at=at, kind=DECISION, key=key, detail=json.dumps(told))).result()


# --- states ----------------------------------------------------------------------------------------------------------


def test_an_empty_pool_is_no_failure(run: Run) -> None:
    """`list` of nothing says what to do; programs get an empty list."""
    ran = run("list")
    assert ran.code == 0
    assert "codex-rotate import" in ran.out
    assert run("list", "--json").json == []


def test_every_state_in_the_list(store: Store, fill: Fill, shown: Callable[..., list[str]]) -> None:
    """Each account says what it is doing, in words and for programs; a rest that is over does not count."""
    keys = [account.key for account in fill("ready", "over", "rests", "dead", "closed", "paused", "kept")]
    store.set_cooldown(keys[1], Cooldown(until=NOON, reason="x"))
    store.set_cooldown(keys[2], Cooldown(until=NOON + 1, reason="usage_limit_reached"))
    store.set_standing(keys[3], Standing.NEEDS_LOGIN, "refresh_token_reused")
    store.set_standing(keys[4], Standing.DEACTIVATED)
    store.update_account(keys[5], enabled=False)
    store.update_account(keys[6], reserve_percent=20)
    store.set_windows(keys[6], (window(80),)).result()
    states = ["ready", "ready", "resting", "needs_login", "closed", "paused", "reserved"]
    assert [each["state"] for each in data_of(store)] == states
    assert [(each["resting_until"], each["reason"]) for each in data_of(store)[1:3]] == [
        (None, ""),
        (NOON + 1, "usage_limit_reached"),
    ]
    lines = shown(store)
    for label, words in (
        ("rests", "resting until 12:00 (usage limit reached)"),
        ("dead", "needs login"),
        ("closed", "closed by provider"),
        ("paused", "paused"),
        ("kept", "kept for its owner until 13:00, keeps 20 %"),
    ):
        assert words in next(line for line in lines if label in line)
    assert "dead was signed out" in lines[-2]
    assert "`codex-rotate remove closed`" in lines[-1]


# --- windows ---------------------------------------------------------------------------------------------------------


def test_windows_are_bars_with_percent_and_reset(store: Store, fill: Fill, shown: Callable[..., list[str]]) -> None:
    """Each length has its column, in order; an account without that window leaves it empty."""
    ann, bob = fill("ann", "bob")
    store.set_windows(ann.key, (window(8, 3 * 24 * HOUR, minutes=10_080), window(63)))
    store.set_windows(bob.key, (window(100, 20 * 24 * HOUR, minutes=43_200),)).result()
    head, _, first, second, *_ = shown(store)
    assert [words.split()[-1] for words in head.split(" used, resets")[:-1]] == ["5h", "7d", "30d"]
    assert "█████░░░  63 %  13:00  █░░░░░░░   8 %  Sat 12:00" in first
    assert "████████ 100 %  2023-12-05" in second
    assert second.index("█") == head.index("30d")


def test_a_window_whose_reset_has_passed_is_free(store: Store, fill: Fill, shown: Callable[..., list[str]]) -> None:
    """Whether upstream named the reset, or the window must have ended since it was seen."""
    ann, bob, cy, dora = fill("ann", "bob", "cy", "dora")
    store.set_windows(ann.key, (window(99, -1),))
    store.set_windows(dora.key, (window(0),))
    old = Window(family=MAIN, minutes=300, used_percent=99, resets_at=None, seen_at=NOON - 6 * HOUR)
    store.set_windows(bob.key, (old,))
    store.set_windows(cy.key, (window(40, None),)).result()
    free = {"name": "5h", "family": MAIN, "minutes": 300, "used_percent": 0.0, "resets_at": None}
    for each in data_of(store)[:2]:
        assert each["windows"][0].items() >= free.items()
    lines = shown(store)
    assert "░░░░░░░░   0 %  free" in lines[2]
    assert "███░░░░░  40 %" in lines[4]
    assert "free" not in lines[4]
    assert "░░░░░░░░   0 %  13:00" in lines[5]


def test_limits_of_single_models_come_after_the_own_one(store: Store, fill: Fill) -> None:
    (ann,) = fill("ann")
    store.set_windows(ann.key, (window(1, family="a-model"), window(2, minutes=10_080), window(3))).result()
    names = [each["name"] for each in data_of(store)[0]["windows"]]
    assert names == ["5h", "7d", "a-model 5h"]


# --- who serves ------------------------------------------------------------------------------------------------------


def test_the_account_that_served_last_is_marked(store: Store, fill: Fill, shown: Callable[..., list[str]]) -> None:
    """A thread on a detour was served there. An account that is gone is not marked."""
    ann, bob, cy = fill("ann", "bob", "cy")
    store.save_affinity(Affinity(thread="one", key=ann.key, used_at=NOON - 90))
    store.save_affinity(Affinity(thread="two", key=ann.key, used_at=NOON - 30, detour=bob.key, detoured_at=NOON - 40))
    store.save_affinity(Affinity(thread="three", key=cy.key, used_at=NOON - 5))
    store.remove_account(cy.key).result()
    assert [(each["active"], each["chosen"], each["last_used"]) for each in data_of(store)] == [
        (False, False, NOON - 90),
        (True, False, NOON - 30),
    ]
    lines = shown(store)
    assert lines[3].startswith("▸ 2  bob")
    assert lines[2].rstrip().endswith("1m ago")
    assert lines[-1] == "▸ Served last. `codex-rotate use bob` would make everybody stay with it."


def test_the_chosen_account_is_marked_before_the_one_that_served_last(store: Store, fill: Fill) -> None:
    ann, bob = fill("ann", "bob")
    store.save_affinity(Affinity(thread="one", key=bob.key, used_at=NOON))
    store.choose_account(ann.key).result()
    assert [(each["active"], each["chosen"]) for each in data_of(store)] == [(True, True), (False, False)]
    assert "Everybody uses ann, until `codex-rotate use --auto`" in list_accounts(store, NOON).message
    store.choose_account("gone:gone").result()  # as a restored backup may have it
    assert [(each["active"], each["chosen"]) for each in data_of(store)] == [(False, False), (True, False)]


def test_nobody_is_marked_before_the_first_request(store: Store, fill: Fill) -> None:
    fill("ann")
    (ann,) = data_of(store)
    assert (ann["active"], ann["last_used"]) == (False, None)
    assert list_accounts(store, NOON).message == ""


# --- programs --------------------------------------------------------------------------------------------------------


def test_json_has_everything(run: Run, fill: Fill, home: Path) -> None:
    fill("ann", tags=("eu", "home"), priority=-3, reserve_percent=20, note="mine", plan="pro")
    with Store(home / "pool.db") as store:
        key = store.accounts()[0].key
        store.set_windows(
            key, (Window(family=MAIN, minutes=300, used_percent=9.5, resets_at=9e9, seen_at=clock.now()),)
        )
    (ann,) = run("list", "--json").json
    assert ann.keys() == {
        *("number", "label", "email", "plan", "state", "resting_until", "reason", "account_id", "user_id"),
        *("state_in_words", "serves", "until"),
        *("backend_origin", "routing_override", "added_at", "windows", "last_used", "active", "chosen"),
        *("tags", "priority", "reserve_percent", "note"),
    }
    assert (ann["tags"], ann["priority"], ann["reserve_percent"], ann["note"]) == (["eu", "home"], -3, 20, "mine")
    assert ann["windows"][0].keys() == {"name", "family", "minutes", "used_percent", "resets_at", "seen_at"}
    assert ann["windows"][0]["used_percent"] == 9.5


def test_repairs_are_told(run: Run, fill: Fill, home: Path) -> None:
    """A database that others could read is closed, and the user learns of it on stderr."""
    fill("ann")
    (home / "pool.db").chmod(0o644)
    ran = run("list", "--json")
    assert len(ran.json) == 1
    assert "was open to other users (mode 0644)" in ran.err
    assert run("list").err == ""


# --- widths ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(store: Store) -> Store:
    """Thirty accounts with labels and e-mails of every length and width."""
    for number in range(30):
        label = ("日本語のとても長いラベル" if number % 3 else "a label with words and then some more of them") + str(
            number
        )
        seat = Account(
            account_id=f"acct-{number}",
            user_id="u",
            label=label,
            email=f"somebody.with.quite.a.long.address.{number}@mail.example.com",
            plan=("plus", "enterprise", "free")[number % 3],
            added_at=float(number),
            tags=("eu",) if number == 4 else (),
            priority=number % 2,
        )
        store.put_account(seat, Credentials(access=f"a{number}", refresh=f"r{number}"))
        store.set_windows(seat.key, (window(3.3 * number), window(number, 5 * 24 * HOUR, minutes=10_080)))
        store.set_cooldown(seat.key, Cooldown(until=NOON + 8 * 24 * HOUR, reason="usage_limit", since=NOON))
        store.save_affinity(Affinity(thread=f"t{number}", key=seat.key, used_at=NOON - 59 * 60))
    store.flush()
    return store


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 160, 220])
def test_every_line_fits(crowd: Store, shown: Callable[..., list[str]], columns: int) -> None:
    """And every account has its number, its windows with percent and reset, and its whole state."""
    lines = shown(crowd, columns)
    table = lines[: next(at for at, line in enumerate(lines) if line.startswith("▸ Served"))]
    assert max(map(cell_len, table)) <= columns
    text = " ".join(" ".join(table).split())
    numbered = [line for line in table if line[:4].removeprefix("▸").strip().isdecimal()]
    assert len(numbered) == 30
    assert text.count("Mon 12:00") == 30
    assert text.count("13:00") == 30
    assert text.count("limit)") == 30
    assert ("█" in text) is (columns >= 80)
    assert table[0].count("used, resets") == (2 if columns >= 160 else columns >= 80)
    assert ("e-mail" in table[0]) is (columns >= 160)


def test_a_pipe_gets_one_whole_line_per_account(crowd: Store, shown: Callable[..., list[str]]) -> None:
    lines = shown(crowd)
    assert len(lines) == 2 + 30 + 2
    assert all(f"address.{number}@mail.example.com" in lines[2 + number] for number in range(30))
    assert "ready" not in lines[6]
    assert "#eu" in lines[6]


def test_in_the_c_locale_nothing_but_names_is_more_than_ascii(
    store: Store, fill: Fill, shown: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, _ = fill("ann", "日本")
    store.set_windows(ann.key, (window(63),))
    store.choose_account(ann.key).result()
    monkeypatch.setenv("LC_ALL", "C")
    for columns in (0, 40, 80, 160):
        text = "\n".join(shown(store, columns))
        assert text.replace("日本", "").isascii()
        assert ("#####...  63 %" in text) or ("####..  63 %" in text) or columns == 40
        assert "> Everybody uses ann" in text


def test_what_a_login_says_cannot_move_the_cursor(store: Store, fill: Fill, shown: Callable[..., list[str]]) -> None:
    """E-mail and plan come from a token."""
    fill("ann", email="a\x1b[2Jb@example.com", plan="pro\r\nfree")
    text = "\n".join(shown(store))
    assert "\x1b" not in text
    assert "\r" not in text
    assert "pro free" in text
