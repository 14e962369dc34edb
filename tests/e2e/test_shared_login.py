"""The pool holds the very login that the official CLI uses: whoever renews it, both go on with it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from accounts.store.store import Store
from tests.e2e.conftest import Scene, SetUp
from tests.e2e.test_rotation import SAY_HI, unnoticed
from tests.harness import eventually, put

IN_NEED: float = 600.0
"""Seconds that are left of a token which the proxy renews at its first look, and the client not yet."""


@pytest.fixture
def transport() -> str:
    return "auto"


def shared(scene: Scene, tmp_path: Path, *, enabled: bool = True) -> str:
    """Put the client's login into the pool; the key of its account there."""
    with Store(tmp_path / "rotate" / "pool.db") as store:
        key = put(store, scene.home, tmp_path, order=9)
        store.update_account(key, enabled=enabled).result()
        return key


def issued_long_ago(tmp_path: Path) -> None:
    """A token that lives for minutes only would be used until near its end; of these, minutes are left."""
    with closing(sqlite3.connect(tmp_path / "rotate" / "pool.db", timeout=10)) as db, db:
        db.execute("UPDATE credential SET refreshed_at = refreshed_at - 86400")


def clients_token(scene: Scene) -> str:
    return str(json.loads((scene.codex.home / "auth.json").read_text())["tokens"]["refresh_token"])


def test_what_the_proxy_renews_the_client_uses(set_up: SetUp, tmp_path: Path):
    """One refresh in all, by the proxy; the client's file has its tokens before the client needs them."""
    scene = set_up(home_lives=IN_NEED)
    first = scene.home.refresh_token
    shared(scene, tmp_path)
    issued_long_ago(tmp_path)
    assert eventually(lambda: clients_token(scene) != first, seconds=40)
    assert clients_token(scene) == scene.home.refresh_token
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", "auto")
    assert [each.account_id for each in scene.upstream.refreshes] == ["acc-home"]
    assert scene.upstream.reused_refresh_tokens == 0


def test_what_the_client_renews_the_pool_uses(set_up: SetUp, tmp_path: Path):
    """The account is paused in the pool, so the client is first: the proxy takes over what it has won."""
    scene = set_up()
    key = shared(scene, tmp_path, enabled=False)
    scene.home.expire()
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", "auto")
    assert clients_token(scene) == scene.home.refresh_token
    with Store(tmp_path / "rotate" / "pool.db") as store:

        def stored() -> str:
            found = store.credentials(key)
            return found.refresh if found else ""

        assert eventually(lambda: stored() == scene.home.refresh_token, seconds=40)
    assert len(scene.upstream.refreshes) == 1
    assert scene.upstream.reused_refresh_tokens == 0
