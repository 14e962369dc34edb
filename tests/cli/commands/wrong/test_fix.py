"""`fix` mends what loses nothing, says what it would do without doing it, and believes the provider when asked to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.model import Account, Cooldown, Standing
from accounts.store.store import Store
from cli.commands.wrong.fix import rests
from cli.doctor.fixes import mend
from config import clock
from standin import Fault, FaultKind, StandIn
from tests.builders import NOW, planted
from tests.cli.doctors import fake_codex, private
from tests.harness import put

type Run = Callable[..., Any]
type Fill = Callable[..., tuple[Account, ...]]


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake_codex(tmp_path / "bin")))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


def test_a_rest_that_began_meanwhile_stays(store: Store, fill: Fill) -> None:
    """A running proxy was told something newer between our look and our change."""
    (ann,) = fill("ann")
    store.set_cooldown(ann.key, Cooldown(until=NOW - 1, reason="overloaded", since=NOW - 9)).result()
    (repair,) = rests(store, NOW)
    newer = Cooldown(until=NOW + 900, reason="usage_limit", since=NOW)
    store.set_cooldown(ann.key, newer).result()
    assert mend([repair]) == ([], [])
    assert store.cooldowns() == {ann.key: newer}


def test_what_is_safe_is_mended_once(run: Run, fill: Fill, store: Store, home: Path) -> None:
    """Files, the CA and rests; each is said, and the second time there is nothing to do."""
    ann, bob = fill("ann", "bob")
    store.set_cooldown(ann.key, Cooldown(until=1.0, reason="usage_limit")).result()
    resting = Cooldown(until=clock.now() + 900, reason="usage_limit", since=clock.now())
    store.set_cooldown(bob.key, resting).result()
    private(home / "config.toml", "").chmod(0o644)
    ran = run("fix", "--json")
    assert (ran.code, len(ran.json["fixed"]), ran.json["not_fixed"], ran.json["would"]) == (0, 3, [], [])
    assert (home / "config.toml").stat().st_mode & 0o777 == 0o600
    assert store.cooldowns() == {bob.key: resting}
    again = run("fix")
    assert (again.code, again.out.splitlines()[0]) == (0, "Nothing that can be mended by itself was found.")
    assert "codex-rotate doctor" in again.out


def test_a_dry_run_changes_nothing_and_says_the_same_things(run: Run, fill: Fill, store: Store, home: Path) -> None:
    (ann,) = fill("ann")
    store.set_cooldown(ann.key, Cooldown(until=1.0, reason="usage_limit")).result()
    private(home / "config.toml", "").chmod(0o644)
    ran = run("fix", "--dry-run", "--json")
    assert (ran.code, len(ran.json["would"]), ran.json["fixed"], ran.json["dry_run"]) == (0, 3, [], True)
    assert (home / "config.toml").stat().st_mode & 0o777 == 0o644
    assert not (home / "ca").exists()
    assert list(store.cooldowns()) == [ann.key]
    text = run("fix", "--dry-run").out
    assert "ann would be free of its rest" in text
    assert "Mended" not in text


def test_without_a_pool_none_is_made(run: Run, home: Path) -> None:
    assert run("fix", "--dry-run", "--live").code == 0
    assert not home.exists()
    assert run("fix", "--live").code == 0
    assert not (home / "pool.db").exists()


def test_a_pool_that_cannot_be_read_is_told_and_the_rest_is_mended(run: Run, home: Path) -> None:
    """Exit code 1."""
    home.mkdir(mode=0o700)
    private(home / "pool.db", "not a database" * 99)
    ran = run("fix", "--live", "--json")
    assert (ran.code, len(ran.json["fixed"]), len(ran.json["not_fixed"])) == (1, 1, 1)
    assert "left untouched" in ran.json["not_fixed"][0]


def test_settings_that_cannot_be_used_are_told_and_nobody_is_asked(run: Run, fill: Fill, home: Path) -> None:
    fill("ann")
    private(home / "config.toml", "nonsense = 1\n")
    ran = run("fix", "--live")
    assert (ran.code, "nonsense" in ran.err, "Asked" in ran.out) == (1, True, False)


# --- with the provider -----------------------------------------------------------------------------------------------


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with StandIn() as standin:
        monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URL", standin.base_url)
        monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", standin.token_url)
        yield standin


@pytest.fixture
def seats(upstream: StandIn, store: Store, tmp_path: Path) -> dict[str, str]:
    """Keys by name: one that is ready, one that rests in vain, one that was signed out, and one that is paused."""
    keys = {}
    for order, name in enumerate(("ready", "rests", "flagged", "paused")):
        account = upstream.add_account(name)
        keys[name] = put(store, account, tmp_path, order)
    store.set_cooldown(keys["rests"], Cooldown(until=9e9, reason="no_credit")).result()
    store.set_standing(keys["flagged"], Standing.NEEDS_LOGIN).result()
    store.update_account(keys["paused"], enabled=False).result()
    return keys


def asked(upstream: StandIn) -> list[str]:
    return sorted(str(each.account_id) for each in upstream.requests_to("/backend-api/wham/usage"))


def test_without_live_nobody_is_asked(run: Run, seats: dict[str, str], upstream: StandIn) -> None:
    assert (run("fix").code, asked(upstream)) == (0, [])


def test_accounts_that_do_not_serve_are_asked_about_and_the_answer_is_believed(
    run: Run, seats: dict[str, str], store: Store, upstream: StandIn
) -> None:
    ran = run("fix", "--live", "--json")
    assert (ran.code, asked(upstream)) == (0, ["flagged", "rests"])
    assert {each["label"]: (each["verdict"], each["rest_ended"]) for each in ran.json["asked"]} == {
        "rests": ("usable", True), "flagged": ("usable", False),
    }  # fmt: skip
    assert store.cooldowns() == {}
    assert {each.label for each in store.accounts() if each.standing is not Standing.GOOD} == set()
    assert not [each for each in planted(store.all_credentials().values()) if each in ran.out + ran.err]


def test_a_dry_run_asks_and_changes_nothing(run: Run, seats: dict[str, str], store: Store, upstream: StandIn) -> None:
    ran = run("fix", "--live", "--dry-run")
    assert (ran.code, asked(upstream)) == (0, ["flagged", "rests"])
    assert "Asked about rests: ready. Nothing was changed." in ran.out
    assert (list(store.cooldowns()), list(upstream.refreshes)) == ([seats["rests"]], [])


def test_an_account_that_the_provider_refuses_is_left_to_a_person(
    run: Run, seats: dict[str, str], store: Store, upstream: StandIn
) -> None:
    upstream.fault("flagged", Fault(FaultKind.UNAUTHORIZED_INVALIDATED, path="/backend-api/wham/usage"))
    ran = run("fix", "--live")
    assert (ran.code, "Asked about flagged: needs login" in ran.out, "codex-rotate login" in ran.out) == (0, True, True)
    assert [each.label for each in store.accounts() if each.standing is not Standing.GOOD] == ["flagged"]
