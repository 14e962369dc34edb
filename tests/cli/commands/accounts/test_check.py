"""`check` against the stand-in: every account is asked at once, what is out of date is put right, nothing is spent."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accounts.model import Cooldown, Standing
from accounts.provider.checking import AT_ONCE
from accounts.store.store import Store
from config import clock
from config.times.local_time import clock_time
from standin import Account, Fault, FaultKind, StandIn, Window
from tests.harness import put, secrets_of

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
    add("dead", expires_in=-10)
    upstream.fault("dead", Fault(FaultKind.TOKEN_REFUSED))
    ran = run("check")
    assert ran.code == 1
    assert "1 of 2 accounts can be used." in ran.out
    assert "codex-rotate login" in ran.out
    assert {each.label: each.standing for each in store.accounts()}["dead"] is Standing.NEEDS_LOGIN
    assert run("check", "dead").code == 3


@pytest.mark.parametrize(
    "name", ["html_401", "html_402", "html_403", "html_200", "empty_object", "empty_402", "deactivated_without_code"]
)
@pytest.mark.parametrize("marked", list(Standing))
def test_an_answer_that_says_nothing_of_the_account_changes_nothing(
    run: Run, add: Callable[..., Account], store: Store, name: str, marked: Standing
) -> None:
    """What was seen is told, and right after a refresh that worked too."""
    account = add("ann")
    store.set_standing(account.identity.key, marked).result()
    account.usage_gets(name)
    ran = run("check")
    assert ran.code == 3
    assert "cannot tell" in ran.out
    assert {"html_200": "200", "empty_object": "200"}.get(name, "40") in ran.out
    assert "codex-rotate login" not in ran.out
    assert store.accounts()[0].standing is marked


@pytest.mark.parametrize(
    ("name", "standing", "reason"),
    [
        ("deactivated_workspace", Standing.DEACTIVATED, "deactivated_workspace"),
        ("account_deactivated", Standing.DEACTIVATED, "account_deactivated"),
        ("token_invalidated", Standing.NEEDS_LOGIN, "token_invalidated"),
    ],
)
def test_the_provider_s_own_word_marks_an_account_and_is_told(
    run: Run, add: Callable[..., Account], store: Store, name: str, standing: Standing, reason: str
) -> None:
    add("ann").usage_gets(name)
    assert f"the provider said {reason}" in " ".join(run("check").out.split())
    (seat,) = store.accounts()
    assert (seat.standing, seat.standing_reason) == (standing, reason)


def test_a_login_that_cannot_be_renewed_is_told_everywhere_with_its_end(
    run: Run, add: Callable[..., Account], store: Store
) -> None:
    """`check` itself finds it out here, with a token that has half a minute left."""
    account = add("ann", expires_in=30)
    key = account.identity.key
    login = store.credentials(key)
    assert login is not None
    store.save_credentials(key, replace(login, refreshed_at=1.0), replaces=login.refresh).result()
    account.refreshes_get("invalid_grant")
    assert run("check").code == 0
    words = f"serves until {clock_time(store.credentials(key).expires_at or 0, clock.now())}, then needs a login"
    for command in ("check", "list", "status", "why", "doctor"):
        assert words.removeprefix("serves ") in " ".join(run(command).out.split()), command
    assert account.access_token


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


def test_no_token_is_shown(run: Run, add: Callable[..., Account], store: Store, upstream: StandIn) -> None:
    accounts = [add("ann"), add("over", expires_in=10), add("refused")]
    upstream.fault("refused", Fault(FaultKind.UNAUTHORIZED_EXPIRED, path=MODELS))
    shown = "".join(ran.out + ran.err for ran in (run("check", "--live", *more) for more in ((), ("--json",))))
    shown += repr(store.events(99))
    assert not [secret for secret in secrets_of(accounts) if secret in shown]
