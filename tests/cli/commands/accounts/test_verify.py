"""`verify` against the stand-in: what upstream says decides, a dry run spends nothing, and no token is shown."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from accounts.choice import quota
from accounts.logins.import_formats import read_logins
from accounts.model import Cooldown, Credentials, Standing
from accounts.provider.checking import Checker
from accounts.provider.usage import ProviderAnswer
from accounts.store.store import Store
from cli.commands.accounts.verify import verify_accounts
from standin import Account, Fault, FaultKind, StandIn, Window
from tests.corporate import Corporate
from tests.harness import put, secrets_of

type Run = Callable[..., Any]

USAGE = "/backend-api/wham/usage"


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
    """An account upstream knows, in the pool with this standing."""

    def new(name: str, standing: Standing = Standing.GOOD, **details: Any) -> Account:
        account = upstream.add_account(name, **details)
        key = put(store, account, tmp_path, len(store.accounts()))
        store.set_standing(key, standing).result()
        return account

    return new


def standing(store: Store, name: str) -> Standing:
    return next(each.standing for each in store.accounts() if each.label == name)


def tokens(store: Store, account: Account) -> Credentials:
    found = store.credentials(account.identity.key)
    assert found is not None
    return found


def verdicts(ran: Any) -> dict[str, str]:
    return {each["label"]: each["verdict"] for each in ran.json}


def test_a_flagged_account_that_is_well_again(
    run: Run, add: Callable[..., Account], store: Store, upstream: StandIn
) -> None:
    """It serves again, its stale rest is over, and accounts that nobody doubts are not asked."""
    account = add("ann", Standing.NEEDS_LOGIN)
    add("bob")
    store.set_cooldown(account.identity.key, Cooldown(until=9e9, reason="usage_limit")).result()
    ran = run("verify")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1].split() == ["ann", "ann@example.com", "ready"]
    assert standing(store, "ann") is Standing.GOOD
    assert store.cooldowns() == {}
    (asked,) = upstream.requests_to(USAGE)
    assert asked.account_id == "ann"
    assert run("verify", "--json").json == []


def test_an_account_at_its_limit_keeps_its_rest(run: Run, add: Callable[..., Account], store: Store) -> None:
    account = add("ann")
    account.primary = Window(used_percent=100.0, minutes=300, resets_in=60)
    store.set_cooldown(account.identity.key, Cooldown(until=9e9, reason="usage_limit")).result()
    ran = run("verify", "ann", "--json")
    assert (ran.code, ran.json[0]["at_limit"]) == (0, True)
    assert len(store.cooldowns()) == 1


def test_how_much_is_used_is_remembered(run: Run, add: Callable[..., Account], store: Store) -> None:
    """What a limit said before it was reset early is corrected by it."""
    account = add("ann")
    key = account.identity.key
    old = quota.Window(family="codex", minutes=300, used_percent=100.0, resets_at=9e9, seen_at=1.0)
    store.set_windows(key, (old,)).result()
    run("verify", "--all")
    assert {each.minutes: each.used_percent for each in store.windows()[key]} == {300: 12.0, 10080: 34.0}


def test_expired_and_refused_tokens_are_renewed(
    run: Run, add: Callable[..., Account], store: Store, upstream: StandIn
) -> None:
    """Before asking when it is known, after a 401 when it is not; the new tokens are stored."""
    over = add("over", expires_in=10)
    add("refused").expire()
    ran = run("verify", "--all", "--json")
    assert (ran.code, verdicts(ran)) == (0, {"over": "usable", "refused": "usable"})
    assert sorted(each.account_id for each in upstream.refreshes) == ["over", "refused"]
    assert tokens(store, over).access == over.access_token
    assert upstream.reused_refresh_tokens == 0


def test_an_account_with_only_a_refresh_token(run: Run, upstream: StandIn, store: Store, tmp_path: Path) -> None:
    """As codex-multi-auth may leave one: its first use fetches the rest."""
    account = upstream.add_account("ann")
    entry = {"accountId": "ann", "email": "ann@example.com", "refreshToken": account.refresh_token, "flaggedAt": 1}
    path = tmp_path / "flagged.json"
    path.write_text(json.dumps({"version": 1, "accounts": [entry]}))
    assert read_logins(path).logins[0].credentials.access == ""
    run("import", path)
    assert standing(store, "ann") is Standing.NEEDS_LOGIN
    assert run("verify").code == 0
    assert standing(store, "ann") is Standing.GOOD
    stored = store.credentials(store.accounts()[0].key)
    assert stored is not None
    assert (stored.access, stored.refresh) == (account.access_token, account.refresh_token)


def test_a_dead_login(run: Run, add: Callable[..., Account], store: Store, upstream: StandIn) -> None:
    """Whether the refresh is refused, or the token that it brought: only a login helps, and the message says so."""
    add("dead", expires_in=-10)
    add("refused")
    upstream.fault("dead", Fault(FaultKind.TOKEN_REFUSED))
    upstream.fault("refused", Fault(FaultKind.UNAUTHORIZED_INVALIDATED, path=USAGE))
    ran = run("verify", "--all")
    assert ran.code == 3
    assert ran.out.count("signed out by the provider. Run `codex-rotate login`") == 2
    assert [each.account_id for each in upstream.refreshes if each.ok] == ["refused"]
    assert {standing(store, name) for name in ("dead", "refused")} == {Standing.NEEDS_LOGIN}


def test_a_closed_account(run: Run, add: Callable[..., Account], store: Store, upstream: StandIn) -> None:
    """One of two can be used: exit code 1."""
    add("ann")
    add("closed")
    upstream.fault("closed", Fault(FaultKind.DEACTIVATED, path=USAGE))
    ran = run("verify", "--all", "--json")
    assert (ran.code, verdicts(ran)) == (1, {"ann": "usable", "closed": "deactivated"})
    assert standing(store, "closed") is Standing.DEACTIVATED


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.RESET, path=USAGE),
        Fault(FaultKind.SERVER_ERROR, path=USAGE),
        Fault(FaultKind.REDIRECT, path=USAGE),
        Fault(FaultKind.CLOUDFLARE, path=USAGE),
        Fault(FaultKind.FORBIDDEN, path=USAGE),
    ],
    ids=lambda fault: str(fault.kind),
)
def test_trouble_on_the_way_changes_nothing(
    run: Run, add: Callable[..., Account], store: Store, upstream: StandIn, fault: Fault
) -> None:
    """Nothing is known, so everything stays, good or bad."""
    for name, was in (("ann", Standing.GOOD), ("bob", Standing.NEEDS_LOGIN)):
        add(name, was)
    upstream.fault("*", fault)
    before = (store.accounts(), store.all_credentials())
    ran = run("verify", "--all", "--json")
    assert (ran.code, set(verdicts(ran).values())) == (3, {"unknown"})
    assert (store.accounts(), store.all_credentials()) == before


def test_a_tired_token_endpoint_is_no_verdict(
    run: Run, add: Callable[..., Account], store: Store, upstream: StandIn
) -> None:
    add("ann", expires_in=10)
    upstream.fault("ann", Fault(FaultKind.TOKEN_SERVER_ERROR))
    assert verdicts(run("verify", "--all", "--json")) == {"ann": "unknown"}
    assert standing(store, "ann") is Standing.GOOD


def test_a_dry_run(run: Run, add: Callable[..., Account], store: Store, upstream: StandIn) -> None:
    """It asks where it can; it neither refreshes nor writes."""
    add("well", Standing.NEEDS_LOGIN)
    add("over", Standing.NEEDS_LOGIN, expires_in=10)
    add("refused")
    add("closed")
    upstream.fault("refused", Fault(FaultKind.UNAUTHORIZED_INVALIDATED, path=USAGE))
    upstream.fault("closed", Fault(FaultKind.DEACTIVATED, path=USAGE))
    before = (store.accounts(), store.all_credentials(), store.events(9))
    ran = run("verify", "--all", "--dry-run", "--json")
    expected = {"well": "usable", "over": "unknown", "refused": "unknown", "closed": "deactivated"}
    assert (ran.code, verdicts(ran)) == (1, expected)
    assert (store.accounts(), store.all_credentials(), store.events(9)) == before
    assert upstream.refreshes == ()


def test_a_login_that_comes_meanwhile(add: Callable[..., Account], store: Store, upstream: StandIn) -> None:
    """What was found out about the old tokens is not written down for the new ones."""
    account = add("ann")
    key = account.identity.key
    new = Credentials(access="new", refresh="new")

    def get(url: str, headers: Mapping[str, str]) -> ProviderAnswer:
        store.save_credentials(key, new, replaces=account.refresh_token).result()
        return ProviderAnswer(status=402)

    def renew(key: str, stale: Credentials, reason: str) -> Any:
        raise AssertionError("nothing is to be renewed")

    checker = Checker(store=store, url=upstream.base_url, get=get, renew=renew, clock=lambda: 0.0)
    assert verify_accounts(checker, store.accounts()).exit_code == 3
    assert standing(store, "ann") is Standing.GOOD


def test_tokens_go_nowhere_else(run: Run, add: Callable[..., Account], monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that would carry them in the clear is refused before anything is asked."""
    add("ann")
    monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URL", "http://chatgpt.com/backend-api")
    ran = run("verify", "--all")
    assert (ran.code, ran.out) == (2, "")
    assert "must be https" in ran.err


def test_a_proxy_of_this_machine_that_is_in_the_way(
    run: Run, add: Callable[..., Account], upstream: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever works behind our proxy has it in the environment: the question goes directly."""
    add("ann")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    assert verdicts(run("verify", "--all", "--json")) == {"ann": "usable"}


def test_through_the_company_s_proxy(
    run: Run, add: Callable[..., Account], store: Store, upstream: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Usage and a refresh go through it; when it lets nobody through, that is said and no account is marked."""
    account = add("ann", expires_in=10)
    before = tokens(store, account)
    monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URL", "https://chatgpt.com/backend-api")
    monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", "https://auth.openai.com/oauth/token")
    monkeypatch.setenv("SSL_CERT_FILE", str(upstream.ca_file))
    with Corporate({443: upstream.port}, "ann", "right") as corporate:
        monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", corporate.url("ann", "s3cret"))
        ran = run("verify", "--all", "--json")
        assert verdicts(ran) == {"ann": "unknown"}
        assert "(407), correct upstream_proxy" in ran.json[0]["detail"]
        assert "s3cret" not in ran.out + ran.err
        assert (standing(store, "ann"), tokens(store, account)) == (Standing.GOOD, before)
        monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", corporate.url("ann", "right"))
        assert verdicts(run("verify", "--all", "--json")) == {"ann": "usable"}
    assert corporate.targets()[-2:] == ["auth.openai.com:443", "chatgpt.com:443"]
    assert tokens(store, account) != before


def test_wrong_usage(run: Run, add: Callable[..., Account]) -> None:
    """One way to choose; an account there is; a pool that is not empty."""
    assert run("verify").code == 3
    add("ann")
    for words in (("--all", "--flagged"), ("ann", "--all"), ("nobody",)):
        assert run("verify", *words).code == 2


def test_no_token_is_shown(run: Run, add: Callable[..., Account], store: Store, upstream: StandIn) -> None:
    """Not of an account that is well, refreshed, refused or closed; not in the history either."""
    accounts = [add("ann"), add("over", expires_in=10), add("refused"), add("closed")]
    upstream.fault("refused", Fault(FaultKind.UNAUTHORIZED_EXPIRED, path=USAGE))
    upstream.fault("closed", Fault(FaultKind.DEACTIVATED, path=USAGE))
    shown = ""
    for options in ((), ("--json",), ("--dry-run",), ("--dry-run", "--json")):
        ran = run("verify", "--all", *options)
        shown += ran.out + ran.err
    shown += repr(store.events(99))
    assert not [secret for secret in secrets_of(accounts) if secret in shown]
