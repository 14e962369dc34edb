"""`why` says what the proxy would choose, from the same functions, and what it did choose, from its own records."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from accounts.choice.decision_record import DECISION
from accounts.choice.pool import Lease
from accounts.choice.quota import MAIN, Window
from accounts.choice.selection import OURS, REASONS, Ask, Rank, Strategy
from accounts.errors import NoAccounts
from accounts.history import Decision, decisions
from accounts.ledger.records import TurnRecord
from accounts.ledger.usage_db import UsageDb
from accounts.model import Account, Affinity, Cooldown, Event, Standing
from accounts.people.people import Person
from accounts.policy import stored_pool
from accounts.store.store import Store
from accounts.views.choice_words import BEHIND, BY_STRATEGY, WITHOUT
from cli.app import main
from cli.commands.see.why import told, why
from cli.ui.result import Result
from config import clock
from config.settings import Settings
from config.times.local_time import clock_time
from tests.cli.ui.test_render import Terminal

type Run = Callable[..., Any]
type Fill = Callable[..., tuple[Account, ...]]

ROOT = Path(__file__).resolve().parents[4]
NOW = 1_800_000_000.0
THREAD = "0199c0de-7a11-7000-8000-0000000000aa"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


def window(used: float, resets_in: float, minutes: int = 300) -> Window:
    return Window(family="codex", minutes=minutes, used_percent=used, resets_at=NOW + resets_in, seen_at=NOW)


def decided(at: float, thread: str, *tries: tuple[str, str], model: str = "gpt-5") -> Event:
    attempts = [
        {"account": who, "why": "the thread lives here", "kind": kind, "detail": "429 x", "seconds": 0.25}
        for who, kind in tries
    ]
    return Event(
        at=at, kind=DECISION, thread=thread,
        detail=json.dumps({"done": "delivered", "model": model, "seconds": 1.5, "attempts": attempts}),
    )  # fmt: skip


def rows(result: Result) -> dict[str, str]:
    """What is said of each account, and its place."""
    assert result.table is not None
    return {row[1]: f"{row[0]} {row[-1]}" for row in result.table.rows}


def data(result: Result) -> dict[str, Any]:
    """As a program reads it: strictly JSON."""
    return json.loads(json.dumps(result.data, allow_nan=False))  # type: ignore[no-any-return]


# --- what would be ---------------------------------------------------------------------------------------------------


def test_an_empty_pool_has_nothing_to_choose_from(run: Run, store: Store) -> None:
    with pytest.raises(NoAccounts):
        why(store, Settings(), "", NOW)
    ran = run("why", "--json")
    assert (ran.code, ran.json["exit_code"]) == (3, 3)


@pytest.mark.parametrize("settings", [Settings(), Settings(strategy="drain"), Settings(strategy="round_robin"),
                                      Settings(strategy="pinned", pinned_account="cy")])  # fmt: skip
def test_it_is_the_choice_of_the_proxy(store: Store, fill: Fill, settings: Settings) -> None:
    """The first row is whom the pool of a proxy gives a lease of, and for the same reason."""
    for number, account in enumerate(fill("ann", "bob", "cy")):
        store.set_windows(account.key, (window(10.0 * number, 1000.0 * (3 - number)),)).result()
    result = why(store, settings, "", NOW)
    lease = stored_pool(store, settings, NOW).select(Ask(), NOW)
    assert isinstance(lease, Lease)
    assert data(result)["choice"] == {"account": lease.account.label, "why": lease.why}
    assert rows(result)[lease.account.label].startswith("1 first")
    assert lease.account.label in result.message
    assert result.exit_code == 0


def test_each_account_that_is_out_says_why_and_until_when(store: Store, fill: Fill) -> None:
    keys = {each.label: each.key for each in fill("ann", "rests", "paused", "dead", "kept", "bare")}
    store.set_cooldown(keys["rests"], Cooldown(until=NOW + 60, reason="usage_limit", since=NOW - 1))
    store.update_account(keys["paused"], enabled=False)
    store.set_standing(keys["dead"], Standing.NEEDS_LOGIN)
    store.update_account(keys["kept"], reserve_percent=30)
    store.set_windows(keys["kept"], (window(80, 900),)).result()
    found = why(store, Settings(), "", NOW)
    said = rows(found)
    assert said["rests"].startswith("- cannot serve: resting until ")
    assert said["paused"] == "- cannot serve: paused"
    assert said["dead"] == "- cannot serve: needs login"
    assert said["kept"].startswith("- cannot serve: kept for its owner until ")
    barred = {each["account"]: each["barred"] for each in data(found)["candidates"]}
    assert (barred["rests"]["by"], barred["rests"]["until"]) == ("resting", NOW + 60)
    assert (barred["kept"]["by"], barred["kept"]["until"], barred["ann"]) == ("reserved", NOW + 900, None)


def test_each_account_that_can_serve_says_what_keeps_it_behind(store: Store, fill: Fill) -> None:
    keys = {each.label: each.key for each in fill("ann", "low", "full", "tired")}
    store.update_account(keys["low"], priority=-3)
    store.set_windows(keys["full"], (window(97, 900),))
    store.set_cooldown(keys["tired"], Cooldown(until=NOW + 9, reason="overloaded", since=NOW - 1)).result()
    said = rows(why(store, Settings(), "", NOW))
    assert list(said) == ["ann", "low", "full", "tired"]
    assert said["low"] == "2 next: its priority is lower; priority -3"
    assert said["full"] == f"3 next: nearly spent until {clock_time(NOW + 900, NOW)} (5h)"
    assert said["tired"].startswith("4 next: resting until ")


def test_every_field_that_can_decide_has_words() -> None:
    """A field that selection learns is told here as well."""
    assert set(Rank._fields) == {*BEHIND, "tired", "deferred", "strategy"} == set(REASONS)
    assert set(BY_STRATEGY) == set(Strategy)
    assert set(WITHOUT) == {str(bar) for bar in OURS}


def test_a_thread_stays_where_it_is(store: Store, fill: Fill) -> None:
    """Its home, its detour and whoever summarised its past are told, and its model is that of its last request."""
    ann, bob, cy = fill("ann", "bob", "cy")
    store.save_affinity(
        Affinity(thread=THREAD, key=bob.key, used_at=NOW - 60, detour=ann.key, detoured_at=NOW - 120, owner=cy.key)
    )
    store.record(decided(NOW - 60, THREAD, ("ann", "ok"), model="gpt-9")).result()
    result = why(store, Settings(on_foreign_compaction="drop"), THREAD, NOW)
    found = data(result)
    assert found["place"] == {"home": "bob", "detour": "ann", "owner": "cy"}
    assert (found["model"], found["choice"]["account"]) == ("gpt-9", "bob")
    for words in ("lives on bob", "ann has served it since", "cy summarised its past"):
        assert words in result.message
    result = why(store, Settings(), THREAD, NOW)
    assert data(result)["choice"]["account"] == "cy"
    assert rows(result)["ann"] == "- cannot serve: another account sealed this conversation's summary"


def test_for_somebody_who_may_use_some_accounts_only(run: Run, store: Store, fill: Fill) -> None:
    _, bob = fill("ann", "bob")
    store.people.put(Person(name="eve", accounts=(bob.key,))).result()
    store.people.put(Person(name="joe", accounts=("#none",))).result()
    chosen = run("why", "--person", "Eve", "--json").json
    assert chosen["choice"]["account"] == "bob"
    assert [each["barred"]["text"] for each in chosen["candidates"] if each["barred"]] == ["not for eve"]
    ran = run("why", "--person", "joe")
    assert (ran.code, "people set NAME --accounts" in ran.out.replace("\n", " ")) == (3, True)
    assert run("why", "--person", "nobody").code == 2


def test_a_refused_model_of_the_thread_counts(store: Store, fill: Fill) -> None:
    ann, _ = fill("ann", "bob")
    store.refuse_model(ann.key, "gpt-9", NOW + 99, NOW)
    store.record(decided(NOW - 60, THREAD, ("bob", "ok"), model="gpt-9")).result()
    result = why(store, Settings(), THREAD, NOW)
    assert (data(result)["choice"]["account"], rows(result)["ann"]) == (
        "bob",
        "- cannot serve: gpt-9 is not for its plan",
    )


@pytest.mark.parametrize(
    "thread", ["nobody", "a b\x1b[2J\n", "漢字 ünï", "x" * 9000, "'; DROP TABLE event; --", "\udcff"]
)
def test_an_unknown_thread_is_placed_like_a_new_one(run: Run, fill: Fill, thread: str) -> None:
    fill("ann")
    ran = run("why", "--thread", thread)
    assert (ran.code, "knows no such thread" in ran.out, "would go to ann" in ran.out) == (0, True, True)
    ran = run("why", "--thread", thread, "--json")
    assert (ran.json["place"], ran.json["choice"]["account"]) == (None, "ann")


def test_a_thread_of_long_ago_is_placed_anew(store: Store, fill: Fill) -> None:
    (ann,) = fill("ann")
    store.save_affinity(Affinity(thread=THREAD, key=ann.key, used_at=NOW - 90_000)).result()
    assert "so long ago that it is placed anew" in why(store, Settings(), THREAD, NOW).message


def test_places_that_are_gone_are_called_so(store: Store, fill: Fill) -> None:
    ann, bob = fill("ann", "bob")
    store.save_affinity(
        Affinity(thread=THREAD, key=ann.key, used_at=NOW - 9, detour=bob.key, detoured_at=NOW - 9, owner=bob.key)
    )
    store.remove_account(bob.key).result()
    result = why(store, Settings(), THREAD, NOW)
    assert "an account that is gone" in result.message
    assert (data(result)["place"]["detour"], data(result)["choice"]["account"]) == (None, "ann")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(), "Wait: the first account is back at"),
        (Settings(strategy="pinned", pinned_account="zoe"), "zoe, the only account that may, is not in the pool"),
    ],
)
def test_nobody_can_serve_and_what_to_do(store: Store, fill: Fill, settings: Settings, said: str) -> None:
    """Exit code 3."""
    (ann,) = fill("ann")
    if settings.strategy == "balanced":
        store.set_cooldown(ann.key, Cooldown(until=NOW + 60, reason="usage_limit", since=NOW - 1)).result()
    result = why(store, settings, "", NOW)
    assert (result.exit_code, said in result.message) == (3, True)
    assert data(result)["choice"]["account"] is None


def test_all_signed_out_is_for_a_person(store: Store, fill: Fill) -> None:
    (ann,) = fill("ann")
    store.set_standing(ann.key, Standing.NEEDS_LOGIN).result()
    assert "codex-rotate list" in why(store, Settings(), "", NOW).message


def test_no_token_is_in_it(run: Run, fill: Fill) -> None:
    fill("ann", "bob")
    for words in ([], ["--json"], ["--thread", "x"], ["--last", "5"]):
        ran = run("why", *words)
        assert not [each for each in ("access-ann", "refresh-bob") if each in ran.out + ran.err]


def test_looking_changes_nothing(run: Run, fill: Fill, store: Store) -> None:
    (ann,) = fill("ann")
    store.set_cooldown(ann.key, Cooldown(until=1.0, reason="usage_limit")).result()
    before = (store.accounts(), store.cooldowns(), store.events(9), store.affinities(9))
    run("why")
    run("why", "--thread", "x")
    assert (store.accounts(), store.cooldowns(), store.events(9), store.affinities(9)) == before


# --- what was --------------------------------------------------------------------------------------------------------


def test_the_last_requests_with_every_attempt(run: Run, fill: Fill, store: Store) -> None:
    """The newest first, as many as were asked for."""
    fill("ann")
    for at in range(4):
        store.record(decided(float(at), THREAD, ("ann", "usage_limit"), ("bob", "ok")))
    store.record(Event(at=9.0, kind="refreshed")).result()
    ran = run("why", "--last", "3", "--json")
    assert [each["at"] for each in ran.json["requests"]] == [3.0, 2.0, 1.0]
    assert ran.json["requests"][0]["attempts"][0] == {
        "account": "ann", "why": "the thread lives here", "outcome": "usage_limit", "detail": "429 x", "seconds": 0.25,
    }  # fmt: skip
    text = run("why", "--last", "1").out.splitlines()
    assert text[0].endswith(f"gpt-5  delivered after 1.5 s  thread {THREAD}")
    assert text[1:] == [
        "  1  ann, because the thread lives here: usage limit (429 x) after 0.2 s",
        "  2  bob, because the thread lives here: ok (429 x) after 0.2 s",
    ]


def test_a_request_that_a_rule_has_refused_names_it(run: Run, fill: Fill, store: Store) -> None:
    told = {"done": "answered by the proxy", "model": "m", "seconds": 0.0, "attempts": [], "rule": "token_budget"}
    store.record(Event(at=clock.now(), kind=DECISION, thread=THREAD, detail=json.dumps(told))).result()
    assert "answered by the proxy (token budget)" in run("why", "--last", "1").out
    assert run("why", "--last", "1", "--json").json["requests"][0]["rule"] == "token_budget"


def test_of_one_thread_alone(run: Run, fill: Fill, store: Store) -> None:
    fill("ann")
    store.record(decided(1.0, "mine", ("ann", "ok")), decided(2.0, "other", ("ann", "ok"))).result()
    assert [each["thread"] for each in run("why", "--last", "9", "--thread", "mine", "--json").json["requests"]] == [
        "mine"
    ]


def test_who_asked_and_for_what_comes_from_the_ledger(run: Run, store: Store, home: Path) -> None:
    store.record(decided(1.0, "mine", ("ann", "ok")), decided(2.0, "mine", ("ann", "ok"))).result()
    db = UsageDb(home / "usage.db")
    db.write(
        [
            TurnRecord(when=1.0, thread="mine", person="bob", project="owner/repo"),
            TurnRecord(when=2.0, thread="mine", client_key="local", project="other/one"),
        ]
    )
    db.close()
    said = run("why", "--last", "2").out
    assert "bob in owner/repo" in said
    assert "local" not in said
    newest, oldest = run("why", "--last", "2", "--json").json["requests"]
    assert (newest["person"], newest["project"]) == ("", "other/one")
    assert (oldest["person"], oldest["project"]) == ("bob", "owner/repo")


def test_a_ledger_that_cannot_be_read_takes_nothing_away(run: Run, store: Store, home: Path) -> None:
    store.record(decided(1.0, "mine", ("ann", "ok"))).result()
    (home / "usage.db").write_bytes(b"no database" * 1000)
    assert run("why", "--last", "1", "--json").json["requests"][0]["project"] == ""


def test_nothing_was_asked_yet(run: Run, fill: Fill) -> None:
    fill("ann")
    ran = run("why", "--last", "5")
    assert (ran.code, "codex-rotate run" in ran.out) == (0, True)
    assert run("why", "--last", "5", "--json").json == {"requests": []}


def test_a_number_below_one_is_wrong_usage(run: Run) -> None:
    assert run("why", "--last", "-1").code == 2


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=60)), max_size=8), st.sampled_from([0, 40, 80]))
def test_whatever_the_history_holds_is_told_in_printable_lines(stored: list[tuple[str, str]], width: int) -> None:
    events = [Event(at=float(n), kind=DECISION, thread=thread, detail=text) for n, (thread, text) in enumerate(stored)]
    result = told(decisions(events), NOW, width)
    assert result.message.replace("\n", "").isprintable()
    json.dumps(result.data, allow_nan=False)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=400))
def test_what_clients_and_upstream_say_cannot_move_a_cursor(label: str, model: str, detail: str) -> None:
    found: list[Decision] = decisions([decided(1.0, "t", (label, detail), model=model)])
    assert told(found, NOW, 80).message.replace("\n", "").isprintable()


# --- start-up --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["see.status", "see.usage", "see.why", "wrong.fix", "wrong.report", "wrong.debug"])
def test_the_module_of_a_command_is_light(module: str) -> None:
    """Help and completion import all of them."""
    heavy = "{'mitmproxy', 'httpx', 'rich', 'msgspec', 'cryptography', 'jwt', 'tomlkit', 'config.settings'}"
    code = f"import sys; import typer; before = set(sys.modules); import cli.commands.{module}; "
    code += f"print(sorted({heavy} & (set(sys.modules) - before)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("width", [60, 80])
def test_it_can_be_read_on_a_narrow_terminal(
    home: Path, fill: Fill, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Every reason is whole, in words that are not broken, beside the account that it is about."""
    labels = ("a-very-long-label-that-somebody-has-chosen", "日本語のアカウント名前です", "ann")
    accounts = fill(*labels)
    with Store(home / "pool.db") as store:
        store.set_windows(accounts[0].key, (Window(family=MAIN, minutes=300, used_percent=96, seen_at=clock.now()),))
        store.set_standing(accounts[2].key, Standing.NEEDS_LOGIN).result()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    assert main(["why"]) == 0
    shown = screen.getvalue()
    assert max(map(cell_len, shown.splitlines())) <= width
    words = shown.split()
    assert {"first", "next:", "nearly", "spent", "(5h)", "cannot", "serve:", "needs", "login", "96"} <= set(words)
