"""`forecast` and `best`: what is stored, or asked for first, told in a table that fits, and to programs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from accounts.choice.quota import MAIN, Window
from accounts.forecast import forecast
from accounts.model import Cooldown, Standing
from accounts.store.store import Store
from cli.app import main
from cli.commands.see.forecast import ForecastOptions, best, explained, foretell, lasting, verdict
from config import clock
from config.settings import Settings
from standin import Account, Fault, FaultKind, StandIn
from standin import Window as Said
from tests.builders import DAY, HOUR, NOW, WEEK_MINUTES, about, candidate, window
from tests.cli.ui.test_render import Terminal
from tests.harness import put

type Run = Callable[..., Any]
type Fill = Callable[..., Any]

USAGE = "/backend-api/wham/usage"
HALF = 2.5 * HOUR


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


def told(store: Store, *, explain: bool = False, columns: int = 0) -> Any:
    return foretell(store, Settings(), ForecastOptions(explain=explain, columns=columns), NOW)


def know(store: Store, fill: Fill, **windows: tuple[Window, ...]) -> None:
    """Accounts of these labels, of whose windows so much is known."""
    for account in fill(*windows):
        store.set_windows(account.key, windows[account.label]).result()


# --- from what is stored ---------------------------------------------------------------------------------------------


def test_one_row_per_account_and_the_pool_s_line_at_the_end(store: Store, fill: Fill) -> None:
    know(store, fill, ann=(window(80, HALF),), bob=(window(5, HALF), window(2, DAY, minutes=WEEK_MINUTES)))
    result = told(store)
    assert result.exit_code == 0
    assert [row[:4] for row in result.table.rows] == [
        ("ann", "5h  80 % +32.0/h", "ready", "spent"),
        ("bob", "5h   5 % +2.0/h", "ready", "ready"),
    ]
    assert result.table.rows[0][4].startswith("spent ")
    assert ", back " in result.table.rows[0][4]
    assert result.message.startswith("At this pace the pool ")


def test_a_pool_that_is_empty_now(store: Store, fill: Fill) -> None:
    """Exit code 3, and when the first one is back."""
    know(store, fill, ann=(window(100, HALF),))
    result = told(store)
    assert result.exit_code == 3
    assert result.message.startswith("The pool is empty now. The first account is back ")
    store.set_standing(store.accounts()[0].key, Standing.NEEDS_LOGIN).result()
    result = told(store)
    assert result.table.rows[0][2:] == ("needs login", "needs login", "needs login")
    assert result.message.endswith("see `codex-rotate list`.")


def test_what_is_not_known_is_said(store: Store, fill: Fill) -> None:
    """And how to get to know it."""
    know(store, fill, ann=(), bob=(window(80, HALF),))
    result = told(store)
    assert result.table.rows[0][1:] == ("not known yet", "ready", "unknown", "unknown")
    assert result.message.startswith("What ann has left is not known and not counted: `codex-rotate forecast --live` ")
    assert " asks the provider. At this pace all others are out" in result.message
    asked = foretell(store, Settings(), ForecastOptions(live=True), NOW)
    assert "the provider names no limit" in asked.message


def test_what_the_owner_has_chosen_counts(store: Store, fill: Fill) -> None:
    """The account that everybody uses, and the settings: nobody else serves."""
    know(store, fill, ann=(window(10, HALF),), bob=(window(80, HALF),))
    store.choose_account(store.accounts()[1].key).result()
    assert told(store).data["pool"]["out_at"] == pytest.approx(NOW + 20 / (36 + 0) * HOUR)
    store.choose_account("").result()
    low = foretell(store, Settings(defer_percent=5), ForecastOptions(), NOW)
    assert [each["now"] for each in low.data["accounts"]] == ["low", "low"]


def test_every_number_is_explained(store: Store, fill: Fill) -> None:
    """How it came about, in lines that fit; programs get the same sentences."""
    week = window(90, 3.5 * DAY, minutes=WEEK_MINUTES)
    know(store, fill, ann=(window(40, HALF), week), bob=(window(10, None),), eve=(window(50, -1),))
    store.update_account(store.accounts()[1].key, reserve_percent=20).result()
    result = told(store, explain=True, columns=80)
    lines = result.message.splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "5h 40.0 % used in 2 h 30 min: 16.00 % an hour; 80 % by its reset" in text
    assert "7d 90.0 % used in 3 d 12 h: 1.07 % an hour; used up" in text
    assert "10.0 % used in at most 5 h 0 min, its whole length: 2.00 % an hour" in text
    assert "stops at 80 %: the rest of each window is its owner's" in text
    assert "free: nothing was used since it reset" in text
    assert "All 5h windows together: 6.00 % of them an hour." in text
    assert "ann is out" in text
    assert any(each.startswith("7d 90.0 % used") for each in result.data["how"])
    assert "how" not in told(store).data


def test_the_numbers_for_programs(store: Store, fill: Fill) -> None:
    know(store, fill, ann=(window(80, HALF),))
    data = told(store).data
    (account,) = data["accounts"]
    assert (account["now"], account["next_hour"], account["until_reset"]) == ("ready", "out", "out")
    assert (account["out_at"], account["back_at"], account["reason"]) == (NOW + HALF / 4, NOW + HALF, None)
    assert account["windows"][0] == {
        "minutes": 300, "used_percent": 80.0, "pace": 32.0, "limit_percent": 100.0,
        "resets_at": NOW + HALF, "full_at": NOW + HALF / 4, "seen_at": NOW,
    }  # fmt: skip
    pool = data["pool"]
    assert (pool["out_at"], pool["back_at"], pool["pace"]) == (pytest.approx(NOW + HALF / 4), NOW + HALF, {"300": 32.0})
    assert pool["verdict"] in told(store).message


@pytest.mark.parametrize("command", ["forecast", "best"])
def test_an_empty_pool(run: Run, command: str) -> None:
    """Exit code 3 and what to do."""
    ran = run(command)
    assert (ran.code, ran.out) == (3, "")
    assert "codex-rotate login" in ran.err
    assert run(command, "--json").json["exit_code"] == 3


@pytest.mark.parametrize("columns", [80, 160])
def test_it_fits_the_screen(run: Run, fill: Fill, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    fill("a-label-that-goes-on-and-on-and-on@example.com", "bob")
    lines = run("forecast").out.splitlines()
    assert max(map(len, lines[:-1])) <= columns


def test_a_label_cannot_move_the_cursor() -> None:
    found = forecast([candidate("a\x1b[2J"), candidate("b\nc", windows=(window(80, HALF),))], about())
    shown = "".join(head + text for head, text in explained(found, NOW)) + verdict(found, NOW)
    assert shown.isprintable()


def test_unused_windows_give_no_pace() -> None:
    assert "no pace to go by" in verdict(forecast([candidate("a", windows=(window(0, -1),))], about()), NOW)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 min"), (59 * 60, "59 min"), (3 * HOUR + 300, "3 h 5 min"), (2 * DAY + HOUR, "2 d 1 h")],
)
def test_spans_have_two_units(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


# --- best ------------------------------------------------------------------------------------------------------------


def test_the_best_account_in_one_line(store: Store, fill: Fill) -> None:
    """With the reason; programs get every candidate."""
    know(store, fill, ann=(window(80, HALF),), bob=(window(5, HALF),))
    result = best(store, Settings(), NOW)
    assert (result.exit_code, result.table) == (0, None)
    assert result.message.startswith("A new thread would go to bob: ")
    assert "\n" not in result.message
    assert [each["account"] for each in result.data["candidates"]] == ["bob", "ann"]


def test_nobody_is_best(store: Store, fill: Fill) -> None:
    """Exit code 3, one line, and when somebody is back."""
    (ann,) = fill("ann")
    store.set_cooldown(ann.key, Cooldown(until=NOW + 60, reason="usage_limit", since=NOW)).result()
    result = best(store, Settings(), NOW)
    assert result.exit_code == 3
    assert "the first account is back" in result.message
    assert "\n" not in result.message


# --- asking first ----------------------------------------------------------------------------------------------------


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with StandIn() as standin:
        monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URL", standin.base_url)
        monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", standin.token_url)
        yield standin


@pytest.fixture
def add(upstream: StandIn, store: Store, tmp_path: Path) -> Callable[..., Account]:
    def new(name: str, used: float) -> Account:
        account = upstream.add_account(name)
        account.limits(primary=Said(used_percent=used, minutes=300, resets_in=HALF), secondary=None)
        put(store, account, tmp_path, 0)
        return account

    return new


def test_without_live_nobody_is_asked(run: Run, add: Callable[..., Account], upstream: StandIn) -> None:
    add("ann", 80)
    ran = run("forecast", "--json")
    assert (ran.json["live"], ran.json["pool"]["not_counted"]) == (False, ["ann"])
    run("best")
    assert not upstream.requests_to(USAGE)


def test_live_asks_every_account_first(run: Run, add: Callable[..., Account], store: Store, upstream: StandIn) -> None:
    """What is told is what the provider has just said; a rest that is over keeps nobody out."""
    ann = add("ann", 100)
    bob = add("bob", 40)
    store.set_cooldown(bob.identity.key, Cooldown(until=9e9, reason="usage_limit")).result()
    ran = run("forecast", "--live", "--json")
    assert ran.code == 0
    assert ran.json["live"] is True
    assert {each["label"]: each["now"] for each in ran.json["accounts"]} == {"ann": "out", "bob": "ready"}
    assert {each.account_id for each in upstream.requests_to(USAGE)} == {"ann", "bob"}
    ann.limits(primary=Said(used_percent=1, minutes=300, resets_in=HALF), secondary=None)
    bob.limits(primary=Said(used_percent=99, minutes=300, resets_in=HALF), secondary=None)
    assert run("best", "--live", "--json").json["choice"]["account"] == "ann"


def test_who_does_not_answer_is_named(run: Run, add: Callable[..., Account], upstream: StandIn) -> None:
    """On stderr, in one line; what was stored of it counts."""
    add("ann", 10)
    assert run("forecast", "--live").err == ""
    upstream.fault("ann", Fault(FaultKind.SERVER_ERROR, path=USAGE))
    ran = run("forecast", "--live")
    assert ran.code == 0
    assert ran.err.count("\n") == 1
    assert "ann: " in ran.err
    assert "5h  10 %" in ran.out


@pytest.mark.parametrize("width", [60, 80])
def test_it_can_be_read_on_a_narrow_terminal(
    home: Path, fill: Fill, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Nothing of the outlook is cut, and no word is broken; a long label ends in dots."""
    now = clock.now()
    labels = ("a-very-long-label-that-somebody-has-chosen", "日本語のアカウント名前です", "ann")
    long, wide, ann = fill(*labels)
    with Store(home / "pool.db") as store:
        for account, used in ((long, 80), (wide, 100)):
            seen = Window(family=MAIN, minutes=300, used_percent=used, resets_at=now + 9000, seen_at=now)
            store.set_windows(account.key, (seen,)).result()
        store.update_account(ann.key, enabled=False).result()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    assert main(["forecast"]) == 0
    shown = screen.getvalue()
    assert max(map(cell_len, shown.splitlines())) <= width
    words = " ".join(shown.split())
    for whole in ("80 % +32.0/h", "100 % +40.0/h", "paused", "spent → back", "日本語のアカウント名前です"):
        assert whole in words
    assert "ready → spent" in words
