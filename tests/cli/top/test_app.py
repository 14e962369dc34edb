"""The screen in front of somebody who presses keys."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from textual.app import App

from accounts.model import Cooldown
from accounts.store.store import Store
from accounts.views.live_turns import LiveTurn
from cli.top.facts import ProxyFacts
from cli.top.keys import View
from cli.top.palettes import Palette
from config.times.local_time import clock_time
from tests.builders import HOUR, NOW, key_of
from tests.cli.top.conftest import OpenTop

type History = Callable[[], list[tuple[str, str]]]


async def test_accounts_are_shown_with_state_windows_and_resets(open_top: OpenTop) -> None:
    async with open_top() as top:
        assert len(top.lines) == 24
        assert "3 of 3 can serve" in top.lines[0]
        assert "no proxy runs" in top.lines[0]
        assert "[Accounts 3]" in top.lines[1]
        ann = top.line(" ann ")
        assert "ready" in ann
        assert f"40% {clock_time(NOW + HOUR, NOW)}" in ann
        assert "██░░" in ann
        assert all(len(line) <= 80 for line in top.lines)


async def test_a_number_lets_everybody_use_that_account_and_z_takes_it_back(
    open_top: OpenTop, store: Store, history: History
) -> None:
    async with open_top() as top:
        await top.press("2")
        assert store.chosen_account() == key_of("bob")
        assert "Everybody uses bob now. z takes it back." in top.text
        assert "everybody uses bob" in top.lines[0]
        assert "another account is" in top.line(" ann ")
        await top.press("1", "z")
        assert store.chosen_account() == key_of("bob")
        await top.press("z")
        assert store.chosen_account() == ""
        await top.press("z")
        assert "nothing to take back" in top.text
        await top.press("9")
        assert "There is no account 9." in top.text
    assert [kind for kind, _ in history()] == ["chosen", "chosen", "chosen", "choice_ended"]


async def test_the_selected_account_is_paused_and_resumed(open_top: OpenTop, store: Store, history: History) -> None:
    async with open_top() as top:
        await top.press("down", "p")
        assert [each.enabled for each in store.accounts()] == [True, False, True]
        assert "paused" in top.line(" bob ")
        await top.press("p")
        assert "bob may serve again" in top.text
        await top.press("z")
        assert [each.enabled for each in store.accounts()] == [True, False, True]
    assert [kind for kind, _ in history()] == ["paused", "resumed", "paused"]


async def test_a_label_is_typed(open_top: OpenTop, store: Store, history: History) -> None:
    async with open_top() as top:
        await top.press("l", "x", "escape")
        assert store.accounts()[0].label == "ann"
        await top.press("l", *"bob", "enter")
        assert "bob" in top.text
        assert store.accounts()[0].label == "ann"
        await top.press("l", *"work", "enter")
        assert "ann is now called work." in top.text
        await top.press("z")
        assert store.accounts()[0].label == "ann"
    assert history() == [("relabelled", "was ann"), ("relabelled", "was work")]


async def test_what_cannot_be_is_said(open_top: OpenTop, store: Store) -> None:
    async with open_top() as top:
        await top.press("r", *"999", "enter")
        assert "whole number from 0 to 100" in top.text
        await top.press("g", "space", "enter")
        assert "No tag is named" in top.text
        await top.press("l", *"7", "enter")
        assert "nor be a number" in top.text
        assert store.accounts()[0].reserve_percent == 0


async def test_priority_reserve_and_tags(open_top: OpenTop, store: Store) -> None:
    async with open_top() as top:
        await top.press("plus", "plus", "minus", "r", *"20", "enter", "g", *"+team", "enter")
        ann = store.accounts()[0]
        assert (ann.priority, ann.reserve_percent, ann.tags) == (1, 20, ("team",))
        await top.press("x")
        assert "#team, priority 1, keeps 20 %" in top.text
        await top.press("z", "z", "z", "z", "z")
        ann = store.accounts()[0]
        assert (ann.priority, ann.reserve_percent, ann.tags) == (0, 0, ())


async def test_a_rest_is_ended_and_begins_again(open_top: OpenTop, store: Store, history: History) -> None:
    rest = Cooldown(until=NOW + HOUR, reason="usage_limit", since=NOW)
    store.set_cooldown(key_of("ann"), rest).result()
    async with open_top() as top:
        assert "resting until" in top.line(" ann ")
        await top.press("c")
        assert store.cooldowns() == {}
        assert "ready" in top.line(" ann ")
        await top.press("z")
        assert store.cooldowns() == {key_of("ann"): rest}
        await top.press("down", "c")
        assert "bob does not rest." in top.text
    assert [kind for kind, _ in history()] == ["rest_ended", "rest_restored"]


async def test_what_another_process_changes_is_seen(open_top: OpenTop, store: Store, home: Path) -> None:
    async with open_top() as top:
        with Store(home / "pool.db") as other:
            other.update_account(key_of("cid"), label="carl").result()
        await top.look()
        assert top.line(" carl ")


async def test_what_the_clock_changes_is_seen(open_top: OpenTop, store: Store) -> None:
    store.set_cooldown(key_of("ann"), Cooldown(until=NOW + 60, reason="usage_limit", since=NOW)).result()
    async with open_top() as top:
        assert "resting" in top.line(" ann ")
        top.clock.now = NOW + 61
        await top.look()
        assert "ready" in top.line(" ann ")


async def test_a_search_narrows_and_escape_ends_it(open_top: OpenTop) -> None:
    async with open_top() as top:
        await top.press("slash", *"bob@")
        assert top.line(" bob ")
        assert not top.line(" ann ")
        await top.press("enter", "p")
        assert "bob is paused" in top.text
        await top.press("escape")
        assert top.line(" ann ")
        await top.press("slash", *"nobody")
        assert "Nothing here has 'nobody' in it." in top.text
        await top.press("escape")
        assert top.line(" ann ")


async def test_the_four_views_are_a_key_away(open_top: OpenTop) -> None:
    async with open_top() as top:
        for key, name in (("t", "[Turns 0]"), ("h", "[History]"), ("u", "[Usage today]"), ("a", "[Accounts 3]")):
            await top.press(key)
            assert name in top.lines[1]
        await top.press("tab", "tab", "shift+tab")
        assert "[Turns 0]" in top.lines[1]
        assert "No proxy runs." in top.text


async def test_pages_open_and_escape_leads_back(open_top: OpenTop) -> None:
    async with open_top() as top:
        for key, words in (("enter", "ann@example.com"), ("w", "A new thread would go to"), ("question_mark", "Undo")):
            await top.press("down", "up", key)
            assert words.casefold() in top.text.casefold() or key == "question_mark"
            assert "[Accounts 3]" not in top.lines[1]
            await top.press("escape")
            assert "[Accounts 3]" in top.lines[1]


async def test_help_fits_a_small_screen(open_top: OpenTop) -> None:
    async with open_top() as top:
        await top.press("question_mark")
        assert "Leave without keeping options." in top.text
        assert "Everybody uses the account of this number." in top.text


async def test_options_are_seen_at_once_and_escape_takes_them_back(open_top: OpenTop) -> None:
    async with open_top() as top:
        await top.press("o", "right")
        assert top.app.state.wanted.palette is Palette.LIGHT
        assert top.app.get_css_variables()["top-back"] == "#fbfbfa"
        await top.press("escape")
        assert top.app.state.wanted.palette is Palette.DARK
        await top.press("o", "left", "enter")
        assert top.app.state.wanted.palette is Palette.TERMINAL
        assert top.app.state.view is View.ACCOUNTS


@pytest.mark.parametrize(("key", "kept"), [("q", True), ("Q", False), ("ctrl+c", False)])
async def test_only_q_keeps_options(open_top: OpenTop, key: str, kept: bool) -> None:
    async with open_top() as top:
        await top.press(key)
        assert top.app.return_value is kept


async def test_turns_are_counted_where_they_are_and_told_in_their_view(open_top: OpenTop) -> None:
    turn = LiveTurn(
        id="1", began=NOW - 42, person="ann", project="shop", model="gpt-5", account="bob", transport="websocket",
        attempts=2, rotations=1, received=2048, first_output=1.25,
    )  # fmt: skip
    async with open_top(100) as top:
        top.app.learn(proxies=ProxyFacts(urls=("http://127.0.0.1:8118",), turns=(turn,)))
        await top.pilot.pause()
        assert "proxy 127.0.0.1:8118" in top.lines[0]
        assert top.line(" bob ").split()[-1] == "1"
        await top.pilot.press("t")
        await top.pilot.pause()
        top.app.learn(proxies=ProxyFacts(urls=("http://127.0.0.1:8118",), turns=(turn,)))
        await top.pilot.pause()
        assert top.line("shop").split() == ["42s", "ann", "shop", "gpt-5", "bob", "WS", "1.2", "s", "2k", "1"]


async def test_a_store_that_is_gone_is_said_and_gone_on_with_when_it_is_back(
    open_top: OpenTop, store: Store, home: Path
) -> None:
    async with open_top() as top:
        aside = home / "aside.db"
        (home / "pool.db").rename(aside)
        top.clock.now += 10
        await top.look()
        assert "is not there any more" in " ".join(top.text.split())
        assert "What is shown is what was known before." in " ".join(top.text.split())
        assert top.line(" ann ")
        await top.press("p")
        assert "Put it back" in " ".join(top.text.split())
        aside.rename(home / "pool.db")
        top.clock.now += 10
        await top.look()
        assert "is not there any more" not in " ".join(top.text.split())


async def test_a_store_that_another_process_holds_is_said(
    open_top: OpenTop, store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading goes on; a change waits for it, and is refused in the end."""
    async with open_top() as top:
        store.file._executor.submit(store.file._open._be_patient, False).result()  # a tenth of a second, not ten
        with closing(sqlite3.connect(home / "pool.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await top.press("p")
            assert "is being written by another process" in " ".join(top.text.split())
            await top.look()
            assert top.line(" ann ")
        await top.press("p")
        assert "ann is paused" in top.text


async def test_while_a_change_waits_the_next_one_is_not_begun(open_top: OpenTop, store: Store, home: Path) -> None:
    async with open_top() as top:
        await top.press("2")
        with closing(sqlite3.connect(home / "pool.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await top.pilot.press("p")
            top.app.beat()
            await top.pilot.pause()
            assert "The change waits for another process" in top.text
            for key in ("1", "z"):  # whose way back is not lost
                await top.pilot.press(key)
                await top.pilot.pause()
                assert "is not written yet" in top.text
            other.execute("ROLLBACK")
            await top.settle()
        assert "ann is paused" in top.text
        await top.press("z", "z")
        assert store.chosen_account() == ""


async def test_a_ledger_that_cannot_be_read_is_said(open_top: OpenTop, home: Path) -> None:
    (home / "usage.db").write_bytes(b"no database " * 100)
    async with open_top() as top:
        await top.press("u")
        assert "cannot be read as the ledger" in " ".join(top.text.split())


@pytest.mark.parametrize(("width", "height"), [(40, 10), (60, 12), (80, 24), (200, 60)])
async def test_every_size_is_filled_and_kept_to(open_top: OpenTop, width: int, height: int) -> None:
    async with open_top(width, height) as top:
        assert len(top.lines) == height
        assert all(len(line) <= width for line in top.lines)
        assert top.line("ann")
        assert "quit" in top.lines[-1]
        await top.pilot.resize_terminal(80, 24)
        await top.settle()
        assert len(top.lines) == 24
        assert "1-9 use" in top.lines[-1]


async def test_without_colour_none_is_sent_and_the_selected_row_stands_out(
    open_top: OpenTop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_top(plain=True) as top:
        styles = [
            segment.style
            for strip in top.app.screen._compositor.render_strips()
            for segment in strip.apply_filter(top.app.get_line_filters()[-1], top.app.screen.background_colors[0])
            if segment.style is not None
        ]
        named = {each.name for style in styles for each in (style.color, style.bgcolor) if each is not None}
        assert named <= {"default"}
        assert any(style.reverse for style in styles)


async def test_an_ascii_terminal_gets_ascii(open_top: OpenTop, store: Store) -> None:
    async with open_top(in_ascii=True) as top:
        assert "##.." in top.line(" ann ")
        for key in ("h", "u", "question_mark", "escape", "o"):
            await top.press(key)
            assert top.text.isascii(), top.text


async def test_a_thousand_accounts_are_quick(open_top: OpenTop, store: Store) -> None:
    """What is drawn is what is seen: a key costs the same with a thousand accounts as with three."""
    many(store, 1000)
    async with open_top() as top:
        drawn = list[int]()
        for item in top.app.rows.listing.items:
            object.__setattr__(item, "draw", counting(item.draw, drawn))
        await top.press("end")
        assert top.line("x0999")
        await top.press("up")
        assert 0 < len(drawn) <= 3 * 24
        assert "of 1003" in top.lines[1]
        await top.press("slash", *"x0500")
        assert top.line(" x0500")


def many(store: Store, count: int) -> None:
    """Like the first account, with other names; in one transaction."""

    def put(db: sqlite3.Connection) -> None:
        for table in ("account", "credential", "quota_window"):
            columns = [str(row[1]) for row in db.execute(f"PRAGMA table_info({table})")]
            other = {"key": "'acct-x' || n || ':u'", "account_id": "'acct-x' || n", "user_id": "'u'"}
            other |= {"label": "printf('x%04d', n)", "added_at": "added_at + 100 + n"}
            chosen = ", ".join(other.get(each, each) for each in columns)
            numbers = "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
            query = f"{numbers} INSERT INTO {table} SELECT {chosen} FROM {table}, numbers WHERE key = ?"
            db.execute(query, (count - 1, key_of("ann")))

    store.file.write(put).result()


def counting(draw: Callable[..., object], drawn: list[int]) -> Callable[..., object]:
    def counted(*given: object) -> object:
        drawn.append(1)
        return draw(*given)

    return counted


async def test_nothing_is_sent_when_nothing_has_changed(open_top: OpenTop, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of a line only the columns that have: a slow line gets few bytes."""
    async with open_top() as top:
        await top.settle()
        sent = list[object]()
        display = App._display
        monkeypatch.setattr(
            App, "_display", lambda app, screen, update: (sent.append(update), display(app, screen, update))
        )
        await top.look()
        await top.look()
        assert [each for each in sent if each is not None] == []
        top.app.sources.store.update_account(key_of("ann"), enabled=False).result()
        top.app.sources.pool.forget()
        await top.look()
        said = "".join(each.render_segments(top.app.console) for each in sent if each is not None)  # type: ignore[attr-defined]
        assert "paused" in said
        assert len(said) < 700
