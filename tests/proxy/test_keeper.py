"""The proxy looks after its accounts while it runs, before a request has to wait for a token."""

import json
from dataclasses import replace
from pathlib import Path

import httpx

from accounts.choice.decision_record import DECISION
from accounts.store.store import Store
from standin import StandIn
from tests.harness import Proxy, eventually, fill
from tests.proxy.clients import http1, turn1


def was_issued_long_ago(path: Path, key: str) -> None:
    with Store(path) as store:
        login = store.credentials(key)
        assert login is not None
        store.save_credentials(key, replace(login, refreshed_at=1.0), replaces=login.refresh).result()


def test_a_token_that_ends_soon_is_renewed_without_any_request_and_one_that_lasts_is_left_alone(
    tmp_path: Path, confdir: Path
):
    with StandIn() as upstream:
        soon, later = upstream.add_account("acc-1", expires_in=800), upstream.add_account("acc-2")
        fill(tmp_path / "rotate", [soon, later], tmp_path)
        was_issued_long_ago(tmp_path / "rotate" / "pool.db", soon.identity.key)
        with Proxy(upstream, tmp_path / "rotate", confdir) as proxy:
            upstream.wait_for(lambda: len(upstream.refreshes) == 1, seconds=20)
            own = upstream.add_account("acc-own")
            with http1(proxy) as client:
                headers = {"authorization": f"Bearer {own.access_token}", "content-type": "application/json"}
                assert turn1(client, headers).text == soon.answer
            with Store(tmp_path / "rotate" / "pool.db") as store:
                assert eventually(lambda: [e.kind for e in store.events(5) if e.kind != DECISION] == ["refreshed"])
        assert [done.account_id for done in upstream.refreshes] == ["acc-1"]
        assert [file.name[:5] for file in (tmp_path / "rotate" / "backups").iterdir()] == ["auto-"]
        assert not upstream.reused_refresh_tokens


def test_a_login_that_the_official_client_has_renewed_is_followed(tmp_path: Path, confdir: Path):
    """One login with two owners: whoever refreshes first, the other adopts what came of it."""
    with StandIn() as upstream:
        shared = upstream.add_account("acc-1")
        fill(tmp_path / "rotate", [shared], tmp_path)
        old = shared.refresh_token
        body = {"client_id": "x", "grant_type": "refresh_token", "refresh_token": old}
        assert httpx.post(upstream.token_url, json=body, trust_env=False).status_code == 200
        (tmp_path / ".codex").mkdir()
        login = {**shared.auth_json(), "last_refresh": "2100-01-01T00:00:00Z"}
        (tmp_path / ".codex" / "auth.json").write_text(json.dumps(login))
        with Proxy(upstream, tmp_path / "rotate", confdir), Store(tmp_path / "rotate" / "pool.db") as store:
            newer = shared.refresh_token
            assert newer != old
            assert eventually(lambda: [c.refresh for c in store.all_credentials().values()] == [newer])
        assert not upstream.reused_refresh_tokens
