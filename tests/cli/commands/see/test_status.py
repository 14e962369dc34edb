"""`status` says in a few lines whether the pool can serve."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.choice.decision_record import DECISION
from accounts.model import Cooldown, Event, Standing
from accounts.store import trouble_notes
from accounts.store.store import EVENTS_KEPT, Store
from accounts.store.trouble_notes import TroubleNote
from cli.commands.see.status import EVENTS_SHOWN, INDENT, StatusContext, status
from cli.ui.result import Result
from config import access, clock
from config.proxy_files import ProxyInfo
from config.settings import Settings

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


def around(home: Path, **changes: Any) -> StatusContext:
    return StatusContext(**{"settings": Settings(), "home": home, **changes})


def shown(result: Result) -> dict[str, list[str]]:
    """The lines of text by the word before them."""
    found: dict[str, list[str]] = {}
    for line in result.message.splitlines():
        word = line[:INDENT].strip() or list(found)[-1]
        found.setdefault(word, []).append(line[INDENT:])
    return found


def decided(at: float, *tries: tuple[str, str], thread: str = "", model: str = "gpt") -> Event:
    attempts = [{"account": who, "why": "w", "kind": kind, "detail": "", "seconds": 0.2} for who, kind in tries]
    told = {"done": "delivered", "model": model, "seconds": 1.31, "attempts": attempts}
    return Event(at=at, kind=DECISION, thread=thread, detail=json.dumps(told))


def test_a_request_is_told_from_account_to_account(store: Store, fill: Fill, home: Path) -> None:
    """In words; the record itself is for programs."""
    fill("ann")
    store.record(decided(9.0, ("ann", "usage_limit"), ("bob", "ok"), thread="t")).result()
    result = status(store, around(home), now=10.0)
    (line,) = shown(result)["Decisions"]
    assert line.endswith("gpt: ann usage limit → bob ok; delivered after 1.3 s")
    assert isinstance(result.data, dict)
    (told,) = result.data["decisions"]
    assert (told["thread"], told["done"], [each["outcome"] for each in told["attempts"]]) == (
        "t", "delivered", ["usage_limit", "ok"],
    )  # fmt: skip


def test_requests_and_rotations_are_counted_since_the_history_begins(store: Store, fill: Fill, home: Path) -> None:
    fill("ann")
    store.record(Event(at=1.0, kind="imported")).result()
    assert shown(status(store, around(home), now=10.0))["Requests"] == ["none yet"]
    for at in range(2, 9):
        store.record(decided(float(at), ("ann", "ok"), thread="t"))
    store.record(decided(9.0, ("ann", "usage_limit"), ("bob", "ok"), thread="t")).result()
    result = status(store, around(home), now=10.0)
    assert isinstance(result.data, dict)
    assert result.data["requests"] == {"served": 8, "rotations": 1, "since": 1.0}
    (line,) = shown(result)["Requests"]
    assert (line.startswith("8 since "), line.endswith(", 1 rotation")) == (True, True)
    assert (len(shown(result)["Decisions"]), len(result.data["decisions"])) == (EVENTS_SHOWN, EVENTS_SHOWN)


def test_proxies_that_run_are_named(store: Store, home: Path) -> None:
    proxy = ProxyInfo(url="http://127.0.0.1:8111", pid=42, home=str(home), certificate="", version="1.2")
    result = status(store, around(home, running=[proxy, proxy]), now=10.0)
    assert shown(result)["Proxies"] == ["http://127.0.0.1:8111 (process 42)"] * 2
    assert isinstance(result.data, dict)
    assert result.data["proxies"][0] == {"url": "http://127.0.0.1:8111", "pid": 42, "version": "1.2"}
    assert "codex-rotate run" in shown(status(store, around(home), now=10.0))["Proxies"][0]


def test_who_alone_serves_is_said_with_the_reason(store: Store, fill: Fill, home: Path) -> None:
    """The chosen account goes before the pinned one, as in the proxy; what keeps it from serving stands beside it."""
    ann, bob = fill("ann", "bob")
    assert shown(status(store, around(home), now=10.0))["Strategy"] == ["balanced"]
    pinned = around(home, settings=Settings(strategy="pinned", pinned_account="bob"))
    store.set_cooldown(bob.key, Cooldown(until=500, reason="usage_limit")).result()
    result = status(store, pinned, now=100.0)
    assert shown(result)["Strategy"][0].startswith("only bob serves, which is resting until")
    assert "pinned_account" in shown(result)["Strategy"][0]
    assert isinstance(result.data, dict)
    assert (result.data["chosen"], result.data["only"]) == (None, "bob")
    store.choose_account(ann.key).result()
    result = status(store, pinned, now=100.0)
    assert shown(result)["Strategy"] == [
        "only ann serves, which is ready: chosen for every client with `codex-rotate use`"
    ]
    assert isinstance(result.data, dict)
    assert (result.data["chosen"], result.data["only"], result.exit_code) == ("ann", "ann", 0)
    nobody = around(home, settings=Settings(strategy="pinned", pinned_account="zoe"))
    store.choose_account("").result()
    assert "only zoe may serve, which is not in the pool" in status(store, nobody, now=100.0).message


def test_the_sync_is_told_by_what_happened(store: Store, home: Path) -> None:
    assert "nothing was exchanged" in shown(status(store, around(home), now=1.0))["Sync"][0]
    for name in ("read_successes", "write_successes", "write_successes", "reconcile_failures"):
        store.count(name).result()
    assert shown(status(store, around(home), now=1.0))["Sync"] == ["1 time read, 2 times written, 1 failed"]
    off = status(store, around(home, sync_off="CODEX_ROTATE_SYNC"), now=1.0)
    assert shown(off)["Sync"] == ["switched off by CODEX_ROTATE_SYNC"]


def test_counts_next_reset_and_events(store: Store, fill: Fill, home: Path) -> None:
    """Accounts by state, the earliest reset with its account, the newest events first, by label."""
    keys = {account.label: account.key for account in fill("ann", "bob", "eve", "dead")}
    store.set_cooldown(keys["bob"], Cooldown(until=300, reason="x"))
    store.set_cooldown(keys["eve"], Cooldown(until=200, reason="x"))
    store.set_standing(keys["dead"], Standing.NEEDS_LOGIN)
    for at in range(EVENTS_SHOWN + 1):
        store.record(Event(at=float(at), kind="cooldown_set", key=keys["bob"], detail=f"n{at}"))
    store.flush()
    result = status(store, around(home), now=100.0)
    assert result.exit_code == 0
    found = shown(result)
    assert found["Home"] == [str(home)]
    assert found["Backend"] == ["https://chatgpt.com/backend-api"]
    assert found["Accounts"] == ["1 ready, 2 resting, 1 needs login"]
    assert found["Next reset"][0].endswith("(eve)")
    assert len(found["Recently"]) == EVENTS_SHOWN
    assert "cooldown set  bob  n5" in found["Recently"][0]
    assert isinstance(result.data, dict)
    assert result.data["next_reset"] == 200.0
    assert result.data["events"][0] == {
        "at": 5.0, "kind": "cooldown_set", "account": "bob", "thread": "", "detail": "n5",
    }  # fmt: skip


@pytest.mark.parametrize(("rests", "said"), [(True, "Nobody can serve before"), (False, "codex-rotate resume ann")])
def test_a_pool_of_which_nothing_is_ready(store: Store, fill: Fill, home: Path, rests: bool, said: str) -> None:
    """Exit code 3 too, and the advice depends on whether waiting helps."""
    (account,) = fill("ann")
    if rests:
        store.set_cooldown(account.key, Cooldown(until=200, reason="x")).result()
    else:
        store.update_account(account.key, enabled=False).result()
    result = status(store, around(home), now=100.0)
    assert result.exit_code == 3
    assert said in result.message


@pytest.mark.parametrize("width", [60, 80, 110])
def test_on_a_terminal_every_line_fits_and_what_clients_say_is_harmless(store: Store, fill: Fill, width: int) -> None:
    """Models, details and labels come from others."""
    fill("an account with a label that is long enough to fill a line by itself", "ünï→漢字")
    store.record(decided(9.0, *[("ünï→漢字", "usage_limit")] * 4, model="\x1b[2J\nevil")).result()
    store.record(Event(at=9.0, kind="reset", detail="word " * 40 + "\r\x1b]0;title\x07")).result()
    text = status(store, around(Path("home"), width=width), now=10.0).message
    assert max(map(len, text.splitlines())) <= width
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("detail", ["", "null", "{", "[" * 99_999, '{"attempts": 7}'])
def test_records_of_other_versions_are_told_as_such(store: Store, fill: Fill, home: Path, detail: str) -> None:
    fill("ann")
    store.record(Event(at=1.0, kind=DECISION, detail=detail)).result()
    (line,) = shown(status(store, around(home), now=10.0))["Decisions"]
    assert "told in words of another version" in line


@pytest.mark.serial
def test_a_full_history_takes_no_time_to_speak_of(store: Store, fill: Fill, home: Path) -> None:
    """As much as is ever kept."""
    fill("ann", "bob")
    store.record(
        *(decided(float(at), ("ann", "usage_limit"), ("bob", "ok"), thread="t") for at in range(6000))
    ).result()
    began = clock.monotonic()
    result = status(store, around(home), now=7000.0)
    assert clock.monotonic() - began < 2
    assert isinstance(result.data, dict)
    assert result.data["requests"]["served"] == EVENTS_KEPT


def test_settings_are_in_force(run: Run, fill: Fill, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend is the one from config.toml or the environment, and a mistake there is wrong usage."""
    fill("ann")
    (home / "config.toml").write_text('chatgpt_base_url = "https://other.example.com"\n')
    assert run("status", "--json").json["backend"] == "https://other.example.com"
    monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URI", "x")
    ran = run("status")
    assert (ran.code, ran.out) == (2, "")
    assert "Did you mean CODEX_ROTATE_CHATGPT_BASE_URL?" in ran.err


def test_a_proxy_that_serves_from_memory_is_told(store: Store, fill: Fill, home: Path) -> None:
    fill("ann")
    notes = (TroubleNote(7, "is damaged"),)
    lines = shown(status(store, around(home, from_memory=notes), clock.now()))
    assert lines["Pool file"] == ["process 7 serves from memory: to it, the file is damaged"]
    assert "Pool file" not in shown(status(store, around(home), clock.now()))


def test_a_disk_that_is_full_is_told(run: Run, fill: Fill, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill("ann")
    assert "Disk" not in run("status").out
    monkeypatch.setattr(access, "LITTLE", 1 << 62)
    said = " ".join(run("status").out.split())
    assert "is on a disk that is full. Until there is room no token is renewed" in said


def test_looking_makes_no_new_pool_in_the_place_of_one_that_a_proxy_misses(run: Run, home: Path) -> None:
    trouble_notes.leave(home / "proxies", TroubleNote(7, "is not there any more"))
    assert not (home / "proxies").exists()  # there is no home
    home.mkdir(mode=0o700)
    trouble_notes.leave(home / "proxies", TroubleNote(7, "is not there any more"))
    ran = run("status")
    assert ran.code == 1
    assert "process 7 serves from memory" in ran.err
    assert not (home / "pool.db").exists()
