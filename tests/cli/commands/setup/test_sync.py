"""`sync` tells what it does in both directions, shows no token, and can be switched off."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accounts.codex_files.reconcile import COUNTERS
from accounts.store.store import Store

type Run = Callable[..., Any]
type WriteLogin = Callable[..., Path]

SWITCHES = ("CODEX_ROTATE_SYNC", "CODEX_MULTI_AUTH_SYNC_CODEX_CLI", "CODEX_AUTH_SYNC_CODEX_CLI")


@pytest.fixture(autouse=True)
def _switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def auth(tmp_path: Path) -> Path:
    """The client's login file; CODEX_HOME is the test's folder."""
    return tmp_path / "auth.json"


def test_pull(run: Run, write_login: WriteLogin, auth: Path) -> None:
    """First what would change, then the change, then nothing more."""
    write_login("ann").rename(auth)
    assert "To be added: ann." in run("sync", "pull", "--dry-run").out
    assert run("list", "--json").json == []
    ran = run("sync", "pull", "--json")
    assert (ran.code, ran.json["added"], ran.json["active"]) == (0, ["ann"], "ann")
    write_login("ann", turn=2).rename(auth)
    assert "Renewed with the client's tokens: ann." in run("sync", "pull").out
    assert "nothing to take over" in run("sync", "pull").out
    assert len(run("list", "--json").json) == 1


def test_pull_of_nothing(run: Run, auth: Path) -> None:
    """No files is no failure, and both are named."""
    ran = run("sync", "pull")
    assert ran.code == 0
    assert str(auth) in ran.out
    assert "accounts.json" in ran.out


def test_a_damaged_file(run: Run, auth: Path) -> None:
    """One line that names the file; the pool is as it was."""
    auth.write_text("{")
    for words in (("pull",), ("status",), ("pull", "--dry-run")):
        ran = run("sync", *words)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert f"{auth}: it is not JSON. Nothing was changed" in ran.err
    assert run("list", "--json").json == []


def test_push(run: Run, write_login: WriteLogin, auth: Path) -> None:
    """The named account, else the first usable; what it means is said plainly."""
    for name in ("ann", "bob"):
        run("import", write_login(name))
    ran = run("sync", "push", "--dry-run")
    assert "ann (ann@example.com) would become" in ran.out
    assert not auth.exists()
    ran = run("sync", "push")
    assert ran.code == 0
    assert "ann (ann@example.com) is now the official client's login" in ran.out
    assert "share one login, whose refresh token works only once" in ran.out
    assert "each side takes over what the other one refreshes" in ran.out
    assert json.loads(auth.read_text())["tokens"]["account_id"] == "acct-ann"
    if os.name == "posix":
        assert stat.S_IMODE(auth.stat().st_mode) == 0o600
    assert run("sync", "push", "bob", "--json").json == {
        "dry_run": False, "pushed": "bob", "account_id": "acct-bob", "file": str(auth), "adopted": [],
    }  # fmt: skip
    assert json.loads(auth.read_text())["tokens"]["account_id"] == "acct-bob"


def test_push_that_cannot_be(run: Run, write_login: WriteLogin, auth: Path) -> None:
    """An empty pool, an unknown name, a login that would be lost."""
    assert run("sync", "push").code == 3
    run("import", write_login("ann"))
    assert run("sync", "push", "zoe").code == 2
    write_login("bob").rename(auth)
    before = auth.read_bytes()
    ran = run("sync", "push", "ann")
    assert ran.code == 1
    assert "codex-rotate sync pull" in ran.err
    assert auth.read_bytes() == before


def test_status(run: Run, write_login: WriteLogin, auth: Path) -> None:
    """Files, who is ahead, the last push and the counters; nothing is changed by looking."""
    run("import", write_login("ann"))
    run("sync", "push")
    write_login("ann", turn=2).rename(auth)
    ran = run("sync", "status")
    assert ran.code == 0
    assert f"{auth}  found" in ran.out
    assert "To be renewed with the client's tokens: ann." in ran.out
    assert "Last pushed: ann" in ran.out
    assert "Shared with the client: ann. A `codex-rotate login` with that account gives" in ran.out
    told = run("sync", "status", "--json").json
    assert (told["enabled"], told["renewed"], told["last_push"]["account"]) == (True, ["ann"], "ann")
    assert told["shared"] == ["ann"]
    assert told["files"]["auth"] == {"path": str(auth), "found": True}
    assert tuple(told["counters"]) == COUNTERS
    assert (told["counters"]["write_successes"], told["counters"]["read_successes"]) == (1, 2)
    assert run("status", "--json").json["counters"] == told["counters"]


def test_a_login_of_the_pools_own_is_not_shared(run: Run, write_login: WriteLogin, auth: Path, home: Path) -> None:
    """Two logins of one seat are two."""
    run("import", write_login("ann"))
    with Store(home / "pool.db") as store:
        (account,) = store.accounts()
        tokens = store.credentials(account.key)
        assert tokens is not None
        store.put_account(account, replace(tokens, own=True)).result()
    write_login("ann", turn=2).rename(auth)
    assert run("sync", "status", "--json").json["shared"] == []


@pytest.mark.parametrize("name", SWITCHES)
def test_switched_off(
    run: Run, write_login: WriteLogin, home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Each command says so, does nothing and is content; not even a database is made."""
    write_login("ann").rename(home.parent / "auth.json")
    monkeypatch.setenv(name, "0")
    for words in (("pull",), ("push",), ("push", "ann"), ("status",)):
        ran = run("sync", *words)
        assert (ran.code, ran.err) == (0, "")
        assert f"switched off by {name}" in ran.out
        assert run("sync", *words, "--json").json == {"enabled": False, "switched_off_by": name}
    assert not home.exists()


def test_the_variable_of_long_ago_is_counted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it decides and the sync is on."""
    monkeypatch.setenv("CODEX_AUTH_SYNC_CODEX_CLI", "1")
    run("sync", "pull")
    assert run("sync", "status", "--json").json["counters"]["legacy_sync_env_uses"] == 2


def test_no_token_is_shown(run: Run, write_login: WriteLogin, auth: Path, home: Path) -> None:
    """Neither by success nor by failure, for people or for programs, nor in the history."""
    files = [write_login(name, turn=turn) for name in ("ann", "bob") for turn in (1, 2)]
    secrets = {token for file in files for token in json.loads(file.read_text())["tokens"].values()}
    shown = ""
    for file in files:
        auth.write_bytes(file.read_bytes())
        broken = json.loads(file.read_text())
        for words in (("pull", "--dry-run"), ("pull",), ("push", "--dry-run"), ("push",), ("status",)):
            for as_json in ((), ("--json",)):
                ran = run("sync", *words, *as_json)
                shown += ran.out + ran.err
        broken["tokens"]["account_id"] = "another"
        auth.write_text(json.dumps(broken))
        ran = run("sync", "pull")
        assert ran.code == 1
        shown += ran.out + ran.err
    with Store(home / "pool.db") as store:
        shown += repr(store.events(999))
    assert not [token for token in secrets if token in shown]


def test_every_command_has_help(run: Run) -> None:
    """And `sync` alone says where to look."""
    for name in ("pull", "push", "status"):
        assert "--json" in run("sync", name, "--help").out
    assert run("sync").code == 2
