"""An account is told by the same words wherever it is told: a table of situations, and every place in each of them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from mitmproxy.test import taddons

from accounts.choice.outcomes import Kind
from accounts.choice.quota import MAIN, Window
from accounts.model import Cooldown, Standing
from accounts.states import State, named
from accounts.store.store import Store
from addons.commands import PoolCommands
from addons.exchange.service import PoolService
from addons.startup import Startup
from config import clock
from config.settings import Settings
from config.times.local_time import clock_time
from standin import StandIn
from tests.cli.conftest import Fill, Run
from tests.harness import put

DAY: Final = 86_400.0
type Cause = Callable[[Store, str, float], object]


def rests(kind: Kind) -> Cause:
    return lambda store, key, end: store.set_cooldown(key, Cooldown(until=end, reason=kind, since=clock.now())).result()


def used(percent: float) -> Cause:
    def known(store: Store, key: str, end: float) -> None:
        window = Window(family=MAIN, minutes=7 * 1440, used_percent=percent, resets_at=end, seen_at=clock.now())
        store.set_windows(key, (window,)).result()

    return known


def is_now(**fields: object) -> Cause:
    return lambda store, key, _: store.update_account(key, **fields).result()


def both(*causes: Cause) -> Cause:
    def done(store: Store, key: str, end: float) -> None:
        for each in causes:
            each(store, key, end)

    return done


def other_chosen(store: Store, key: str, _: float) -> None:
    store.choose_account(next(each.key for each in store.accounts() if each.key != key)).result()


SITUATIONS: Final[dict[str, tuple[Cause, State, str]]] = {
    "nothing": (lambda *_: None, State.READY, "ready"),
    "paused": (is_now(enabled=False), State.PAUSED, "paused"),
    "signed out": (is_now(standing=Standing.NEEDS_LOGIN), State.NEEDS_LOGIN, "needs login"),
    "closed": (is_now(standing=Standing.DEACTIVATED), State.CLOSED, "closed by provider"),
    "at a limit": (rests(Kind.USAGE_LIMIT), State.RESTING, "resting until {end} (usage limit)"),
    "after a failure": (rests(Kind.SERVER_ERROR), State.RESTING, "resting until {end} (server error)"),
    "used up": (used(100), State.SPENT, "spent until {end} (7d)"),
    "nearly used up": (used(96), State.NEARLY_SPENT, "nearly spent until {end} (7d)"),
    "kept": (both(is_now(reserve_percent=20), used(85)), State.RESERVED, "kept for its owner until {end}"),
    "another one chosen": (other_chosen, State.PASSED_OVER, "another account is pinned"),
    "signed out and paused": (
        is_now(standing=Standing.NEEDS_LOGIN, enabled=False),
        State.NEEDS_LOGIN,
        "needs login",
    ),
}


@pytest.fixture(params=SITUATIONS)
def told(request: pytest.FixtureRequest, fill: Fill, home: Path) -> tuple[State, str]:
    """A pool in which ann is in that situation and bob is not: her state and the words for it."""
    cause, state, words = SITUATIONS[request.param]
    ann, _ = fill("ann", "bob")
    end = clock.now() + DAY
    with Store(home / "pool.db") as store:
        cause(store, ann.key, end)
    return state, words.format(end=clock_time(end, clock.now()))


def line_of(text: str, name: str) -> str:
    """What a table says of an account, with its cells as words."""
    line = next(line for line in text.splitlines() if re.match(rf"^\W*(\d+\W+|- +)?{name}\b", line))
    return " ".join(line.split())


@pytest.mark.parametrize("command", ["list", "why"])
def test_tables_say_the_state(run: Run, told: tuple[State, str], command: str) -> None:
    state, words = told
    shown = line_of(run(command).out, "ann")
    if command == "why" and state is State.READY:  # there it is what decided that counts
        words = "first"
    assert words in shown


def test_programs_are_told_the_same(run: Run, told: tuple[State, str]) -> None:
    state, words = told
    accounts = {
        "list": next(each for each in run("list", "--json").json if each["label"] == "ann"),
        "forecast": next(each for each in run("forecast", "--json").json["accounts"] if each["label"] == "ann"),
        "why": next(each for each in run("why", "--json").json["candidates"] if each["account"] == "ann"),
        "best": next(each for each in run("best", "--json").json["candidates"] if each["account"] == "ann"),
        "report": next(each for each in run("report", "--json").json["accounts"] if each["account"] == "account-1"),
    }
    found = {name: (each["state"], each["state_in_words"]) for name, each in accounts.items()}
    assert found == dict.fromkeys(accounts, (str(state), words))
    assert run("status", "--json").json["accounts"][str(state)] >= 1


def test_the_forecast_says_the_state(run: Run, told: tuple[State, str]) -> None:
    """Its name as that of now, and the whole of it where it goes on for as long as anybody can look."""
    state, words = told
    row = line_of(run("forecast").out, "ann")
    assert f" {named(state)} " in f"{row} "
    if state in {State.PAUSED, State.NEEDS_LOGIN, State.CLOSED, State.PASSED_OVER}:
        assert row.endswith(words)


def test_doctor_and_report_say_the_state(run: Run, told: tuple[State, str]) -> None:
    state, words = told
    said = run("report").out
    assert f"account-1  {words}" in said
    owners = {State.PAUSED: "Paused, so that", State.NEEDS_LOGIN: "account-1 needs a login", State.CLOSED: "closed"}
    if state in owners:
        assert owners[state] in said
    elif state is not State.READY:
        assert f"account-1: {words}" in said


def test_the_palette_says_the_state(home: Path, told: tuple[State, str]) -> None:
    _, words = told
    startup = Startup()
    startup.service = PoolService(home / "pool.db", clock.now, settings=Settings())
    try:
        with taddons.context(PoolCommands(startup)) as context:
            shown = context.master.commands.call_strings("rotate.accounts", [])
    finally:
        startup.service.close()
    assert line_of("\n".join(shown), "ann").partition(": ")[2].startswith(words)


def test_the_settings_count_too(run: Run, fill: Fill, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What puts an account behind the others, and who is pinned, is the owner's to say; `list` follows it as well."""
    ann, _ = fill("ann", "bob")
    with Store(home / "pool.db") as store:
        used(60)(store, ann.key, clock.now() + DAY)
    assert run("list", "--json").json[0]["state"] == "ready"
    (home / "config.toml").write_text("defer_percent = 50\n")
    assert run("list", "--json").json[0]["state"] == "nearly_spent"
    (home / "config.toml").write_text('strategy = "pinned"\npinned_account = "bob"\n')
    assert run("list", "--json").json[0]["state"] == "passed_over"
    monkeypatch.setenv("CODEX_ROTATE_PINNED_ACCOUNT", "ann")
    assert [each["state"] for each in run("list", "--json").json] == ["ready", "passed_over"]


def test_settings_that_cannot_be_used_do_not_hide_the_accounts(run: Run, fill: Fill, home: Path) -> None:
    fill("ann")
    (home / "config.toml").write_text("defer_percent = 500\n")
    ran = run("list", "--json")
    assert (ran.code, ran.json[0]["state"]) == (0, "ready")


@pytest.fixture
def asked(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The key of an account that the stand-in knows, so that it can be asked about."""
    with StandIn() as upstream:
        monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URL", upstream.base_url)
        monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", upstream.token_url)
        with Store(home / "pool.db") as store:
            key = put(store, upstream.add_account("ann"), tmp_path, 0)
        yield key


@pytest.mark.parametrize("command", ["check", "verify"])
def test_what_the_provider_said_becomes_the_state(run: Run, asked: str, home: Path, command: str) -> None:
    """The table of an answer says what `list` says right afterwards."""
    with Store(home / "pool.db") as store:
        store.update_account(asked, enabled=False).result()
    row = run(command, "ann", "--json").json[0]
    assert row["state"] == run("list", "--json").json[0]["state"] == "paused"
    shown = run(command, "ann").out
    assert "paused" in line_of(shown, "ann")


def test_every_state_of_an_account_is_tried() -> None:
    """But for those of a request, and of a login that is not there or over (tests/accounts/test_states.py)."""
    of_requests = {State.WITHOUT_MODEL, State.NOT_THEIRS, State.CANNOT_READ, State.TRIED}
    assert {state for _, state, _ in SITUATIONS.values()} == set(State) - of_requests - {
        State.LOGIN_ENDED,
        State.NO_LOGIN,
    }
