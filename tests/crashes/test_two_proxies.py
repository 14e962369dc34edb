"""Two proxies and the CLI on one pool, with single-use refresh tokens: nothing is lost, and both see every change.

`ROUNDS=200` in the environment goes on for a minute or more; `make soak` does.
"""

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from accounts.store.store import Store
from accounts.tokens.lifetime import FRESH_SECONDS
from standin import Account, StandIn
from tests import warm
from tests.harness import Proxy, fill, plain_environment, put, write_login
from tests.proxy.clients import Http2

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("ROUNDS", "4"))
START = "import codex_rotate; codex_rotate.main()"


@dataclass
class Shared:
    """A pool, two proxies that use it, and a client connected to each."""

    upstream: StandIn
    home: Path
    folder: Path
    own: Account
    accounts: list[Account]
    clients: tuple[Http2, Http2]

    def turns(self, thread: str) -> list[str]:
        """The same moment, a turn through each proxy."""
        headers = {
            "authorization": f"Bearer {self.own.access_token}",
            "chatgpt-account-id": self.own.account_id,
            "content-type": "application/json",
        }
        with ThreadPoolExecutor(2) as both:
            sent = [
                both.submit(client.turn, {**headers, "thread-id": f"{thread}-{n}"})
                for n, client in enumerate(self.clients)
            ]
            return [one.result().text for one in sent]

    def age(self) -> None:
        """Every token was renewed a while ago: one that is refused right after its renewal is rightly not renewed."""
        with closing(sqlite3.connect(self.home / "pool.db")) as db, db:
            db.execute("UPDATE credential SET refreshed_at = refreshed_at - ?", (FRESH_SECONDS,))

    def cli(self, *words: str) -> object:
        environ = {**plain_environment(), "CODEX_ROTATE_HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        argv = [sys.executable, "-c", START, *words, "--json"]
        done = warm.run(argv, env=environ, capture_output=True, text=True, timeout=60, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shared(tmp_path: Path, confdir: Path) -> Iterator[Shared]:
    home = tmp_path / "rotate"
    with ExitStack() as stack:
        upstream = stack.enter_context(StandIn())
        accounts = [upstream.add_account(f"acc-{n}") for n in range(4)]
        fill(home, accounts, tmp_path)
        proxies = [stack.enter_context(Proxy(upstream, home, confdir)) for _ in range(2)]
        for proxy in proxies:
            proxy.output.wait_for(r"codex-rotate: \d+ accounts from", seconds=60)
        clients = (stack.enter_context(Http2(proxies[0])), stack.enter_context(Http2(proxies[1])))
        own = upstream.add_account("acc-own")
        yield Shared(upstream, home, tmp_path, own, accounts, clients)


def test_no_token_is_spent_twice_and_no_account_is_lost(shared: Shared) -> None:
    """Every round all access tokens end; both proxies need the same new ones at once, and the CLI is busy."""
    for number in range(ROUNDS):
        for account in shared.accounts:
            account.expire()
        shared.age()
        assert {text.split()[0] for text in shared.turns(f"round-{number}")} == {"Hello"}
        if number % 3 == 0:
            old = write_login(shared.accounts[number % 4], shared.folder / "old.json")
            shared.cli("import", str(old))
        assert len(shared.cli("list")) == 4
        shared.cli("status")
    assert not shared.upstream.reused_refresh_tokens
    with Store(shared.home / "pool.db") as store:
        kept = store.all_credentials()
        assert {seat.standing.value for seat in store.accounts()} == {"good"}
    current = {account.refresh_token for account in shared.accounts}
    assert {credentials.refresh for credentials in kept.values()} == current


def test_what_another_process_changes_both_proxies_honour_with_the_next_request(shared: Shared) -> None:
    with Store(shared.home / "pool.db") as store:
        for number, account in enumerate(shared.accounts, start=10):
            new = shared.upstream.add_account(f"acc-{number}")
            put(store, new, shared.folder, number)
            for seat in store.accounts():
                store.update_account(seat.key, enabled=seat.account_id == new.account_id).result()
            assert shared.turns(f"only-{number}") == [new.answer] * 2
            assert account.account_id != new.account_id
