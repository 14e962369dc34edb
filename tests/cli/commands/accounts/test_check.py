"""`check` against the stand-in: every account is asked at once, what is out of date is put right, nothing is spent."""

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from accounts.model import Cooldown, Credentials, Standing
from accounts.store.store import Store
from accounts.tokens.oauth import Renewal
from accounts.verify import Answer, Finding, Verdict
from cli.commands.accounts.check import asks_for_models, models_url, read_models
from cli.commands.accounts.verify import AT_ONCE, Checker, check_each
from standin import Account, Fault, FaultKind, StandIn, Window
from tests.builders import account as built
from tests.builders import credentials
from tests.harness import PATIENCE, put, secrets_of

type Run = Callable[..., Any]

USAGE = "/backend-api/wham/usage"
MODELS = "/backend-api/codex/models"
GENERATION = "/backend-api/codex/responses"


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with StandIn() as standin:
        monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URL", standin.base_url)
        monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", standin.token_url)
        yield standin


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


@pytest.fixture
def add(upstream: StandIn, store: Store, tmp_path: Path) -> Callable[..., Account]:
    """An account upstream knows, in the pool."""

    def new(name: str, **details: Any) -> Account:
        account = upstream.add_account(name, **details)
        put(store, account, tmp_path, len(store.accounts()))
        return account

    return new


def states(ran: Any) -> dict[str, str]:
    return {each["label"]: each["verdict"] for each in ran.json}


def test_every_account_is_asked(run: Run, add: Callable[..., Account], store: Store, upstream: StandIn) -> None:
    """In good standing or not; the answers are stored, and no model is asked."""
    keys = [add(name).identity.key for name in ("ann", "bob", "eve")]
    ran = run("check")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[0] for line in ran.out.splitlines()[2:5]] == ["ann", "bob", "eve"]
    assert "5h 12 %, 7d 34 %" in ran.out
    assert ran.out.splitlines()[-1] == "3 of 3 accounts can be used."
    assert {each.account_id for each in upstream.requests_to(USAGE)} == {"ann", "bob", "eve"}
    assert store.windows().keys() == set(keys)
    assert not upstream.requests_to(GENERATION) + upstream.requests_to(MODELS)


def test_named_accounts_are_asked_once_each(run: Run, add: Callable[..., Account], upstream: StandIn) -> None:
    """By any name; in the order of the names."""
    for name in ("ann", "bob", "eve"):
        add(name)
    ran = run("check", "3", "ann", "eve", "--json")
    assert [each["label"] for each in ran.json] == ["eve", "ann"]
    assert {each.account_id for each in upstream.requests_to(USAGE)} == {"ann", "eve"}


def test_a_rest_that_is_over_is_ended(run: Run, add: Callable[..., Account], store: Store) -> None:
    """One that is not stays: the provider still says that the limit is reached."""
    free, spent = add("free"), add("spent")
    spent.primary = Window(used_percent=100.0, minutes=300, resets_in=60)
    for each in (free, spent):
        store.set_cooldown(each.identity.key, Cooldown(until=9e9, reason="usage_limit")).result()
    ran = run("check", "--json")
    assert [(each["rest_ended"], each["at_limit"]) for each in ran.json] == [(True, False), (False, True)]
    assert list(store.cooldowns()) == [spent.identity.key]
    assert [each["used_percent"] for each in ran.json[1]["windows"]] == [100.0, 34.0]


def test_an_account_that_cannot_be_used_is_marked(
    run: Run, add: Callable[..., Account], store: Store, upstream: StandIn
) -> None:
    """Exit code 1 while others can, 3 when none can; what to do is said."""
    add("ann")
    add("dead", expires_in=10)
    upstream.fault("dead", Fault(FaultKind.TOKEN_REFUSED))
    ran = run("check")
    assert ran.code == 1
    assert "1 of 2 accounts can be used." in ran.out
    assert "codex-rotate login" in ran.out
    assert {each.label: each.standing for each in store.accounts()}["dead"] is Standing.NEEDS_LOGIN
    assert run("check", "dead").code == 3


def test_an_empty_pool(run: Run) -> None:
    ran = run("check")
    assert (ran.code, ran.out) == (3, "")


def test_many_tired_tokens_are_renewed_one_by_one(
    run: Run, add: Callable[..., Account], store: Store, upstream: StandIn
) -> None:
    """More than are asked at once, and none is given up as busy."""
    names = [f"a{n}" for n in range(AT_ONCE + 3)]
    for name in names:
        add(name, expires_in=10)
    ran = run("check", "--json")
    assert (ran.code, set(states(ran).values())) == (0, {"usable"})
    assert sorted(each.account_id for each in upstream.refreshes) == names
    assert upstream.reused_refresh_tokens == 0


# --- --live ----------------------------------------------------------------------------------------------------------


def test_live_asks_for_the_models_too_and_spends_nothing(
    run: Run, add: Callable[..., Account], upstream: StandIn
) -> None:
    """With the token that has just proved good, on the way that model requests take."""
    add("ann", expires_in=10)
    assert run("check", "--live").code == 0
    assert [each.account_id for each in upstream.requests_to(MODELS)] == ["ann"]
    assert not upstream.requests_to(GENERATION)


@pytest.mark.parametrize("kind", [FaultKind.FORBIDDEN, FaultKind.UNAUTHORIZED_INVALIDATED, FaultKind.RESET])
def test_trouble_with_the_models_frees_nobody_and_marks_nobody(
    run: Run, add: Callable[..., Account], store: Store, upstream: StandIn, kind: FaultKind
) -> None:
    """The login has proved good, so it stays in good standing; what is used is known all the same."""
    key = add("ann").identity.key
    store.set_cooldown(key, Cooldown(until=9e9, reason="usage_limit")).result()
    upstream.fault("ann", Fault(kind, path=MODELS))
    ran = run("check", "--live", "--json")
    assert (ran.code, states(ran)) == (3, {"ann": "unknown"})
    assert ran.json[0]["detail"].startswith("its models: ")
    assert store.accounts()[0].standing is Standing.GOOD
    assert key in store.cooldowns()
    assert key in store.windows()


def test_models_are_asked_for_where_the_account_belongs() -> None:
    """At its region's host; at the stand-in when the settings lead there; nowhere that is not the provider's."""
    home = "https://chatgpt.com/backend-api"
    assert models_url(home, built()).startswith("https://chatgpt.com/backend-api/codex/models?client_version=")
    there = built(backend_origin="https://eu.chatgpt.com")
    assert models_url(home, there).startswith("https://eu.chatgpt.com/backend-api/codex/models?")
    assert models_url("http://127.0.0.1:1/x/", there).startswith("http://127.0.0.1:1/x/codex/models?")

    def get(url: str, headers: Mapping[str, str]) -> Answer:
        raise AssertionError("a token must not go there")

    foreign = built(backend_origin="https://example.com")
    finding = asks_for_models(home, get)(foreign, credentials(), Finding(verdict=Verdict.USABLE))
    assert finding.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (Answer(status=200, body=b'{"models": []}'), False),
        (Answer(status=200, body=b"{}"), True),
        (Answer(status=200, body=b"<html>"), True),
        (Answer(status=200, body=b"[" * 100_000), True),
        (Answer(status=404), True),
    ],
)
def test_what_counts_as_a_list_of_models(answer: Answer, wrong: bool) -> None:
    assert bool(read_models(answer)) is wrong


# --- at once ---------------------------------------------------------------------------------------------------------


def answer_usage(url: str, headers: Mapping[str, str]) -> Answer:
    return Answer(status=200, body=b'{"rate_limit": null}')


def filled(store: Store, count: int) -> None:
    for n in range(count):
        seat = built(f"{n:02}", added_at=float(n))
        store.put_account(seat, Credentials(access=f"access-{n}", refresh=f"refresh-{n}")).result()


def test_so_many_are_asked_at_once_and_no_more(store: Store) -> None:
    """The barrier opens only when all of one round are there; the order of the answers is that of the accounts."""
    filled(store, 2 * AT_ONCE)
    together = threading.Barrier(AT_ONCE, timeout=PATIENCE)
    asking = threading.Semaphore(AT_ONCE)

    def get(url: str, headers: Mapping[str, str]) -> Answer:
        assert asking.acquire(blocking=False), "too many at once"
        together.wait()
        asking.release()
        together.wait()
        return answer_usage(url, headers)

    done: list[None] = []
    checker = Checker(store=store, url="", get=get, renew=None, clock=lambda: 0.0)
    checked = check_each(checker, store.accounts(), lambda: done.append(None))
    assert [each.account.label for each in checked] == [f"{n:02}" for n in range(2 * AT_ONCE)]
    assert len(done) == 2 * AT_ONCE


def test_renewals_do_not_overlap(store: Store) -> None:
    """A second one within the first would wait for a lock that gives up after a while."""
    filled(store, AT_ONCE)
    under_way = threading.Lock()

    def renew(key: str, stale: Credentials, reason: str) -> Renewal:
        assert under_way.acquire(blocking=False), "two at once"
        under_way.release()
        return Renewal(detail="later")

    def refuse(url: str, headers: Mapping[str, str]) -> Answer:
        return Answer(status=401)

    checker = Checker(store=store, url="", get=refuse, renew=renew, clock=lambda: 0.0)
    assert {each.finding.detail for each in check_each(checker, store.accounts())} == {"refresh: later"}


def test_being_stopped_finishes_what_was_begun_and_begins_nothing_more(store: Store) -> None:
    filled(store, 5 * AT_ONCE)
    asked: list[str] = []
    gate = threading.Event()

    def get(url: str, headers: Mapping[str, str]) -> Answer:
        asked.append(headers["authorization"])
        if len(asked) > 1:
            assert gate.wait(PATIENCE)
        return answer_usage(url, headers)

    def interrupted() -> None:
        gate.set()
        raise KeyboardInterrupt

    checker = Checker(store=store, url="", get=get, renew=lambda *_: Renewal(), clock=lambda: 0.0)
    with pytest.raises(KeyboardInterrupt):
        check_each(checker, store.accounts(), interrupted)
    assert len(asked) < 5 * AT_ONCE
    assert len(store.events(99)) == len(asked)


def test_no_token_is_shown(run: Run, add: Callable[..., Account], store: Store, upstream: StandIn) -> None:
    accounts = [add("ann"), add("over", expires_in=10), add("refused")]
    upstream.fault("refused", Fault(FaultKind.UNAUTHORIZED_EXPIRED, path=MODELS))
    shown = "".join(ran.out + ran.err for ran in (run("check", "--live", *more) for more in ((), ("--json",))))
    shown += repr(store.events(99))
    assert not [secret for secret in secrets_of(accounts) if secret in shown]
