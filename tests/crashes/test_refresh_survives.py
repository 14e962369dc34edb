"""Single-use refresh tokens against crashes and races: no token is sent twice, and no account is lost but by the wire.

`CRASHES=100` (or any number) in the environment kills more often; `make soak` does.
"""

import logging
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from accounts.store.store import Store
from accounts.tokens.endings import Ending
from accounts.tokens.refresh import Refresher
from accounts.tokens.sent_marks import SentMarks
from config import clock
from standin import StandIn
from tests.harness import plain_environment, put

logger = logging.getLogger(__name__)

RENEWER = Path(__file__).with_name("renewer.py")
CRASHES = int(os.environ.get("CRASHES", "12"))
PATIENCE = 60.0


@pytest.fixture
def upstream() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


def pool_of(upstream: StandIn, folder: Path, size: int) -> tuple[Path, list[str]]:
    """A pool whose access tokens are all over."""
    pool = folder / "rotate" / "pool.db"
    pool.parent.mkdir(mode=0o700)
    with Store(pool) as store:
        keys = [put(store, upstream.add_account(f"acc-{n}", expires_in=-60), folder, n) for n in range(size)]
    return pool, keys


@contextmanager
def renewer(upstream: StandIn, pool: Path, how: str, keys: list[str]) -> Iterator[subprocess.Popen[str]]:
    environ = {**plain_environment(), "CODEX_REFRESH_TOKEN_URL_OVERRIDE": upstream.token_url}
    argv = [sys.executable, str(RENEWER), str(pool), how, *keys]
    process = subprocess.Popen(argv, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_two_processes_that_hit_fifty_expired_accounts_at_once_refresh_each_once(
    upstream: StandIn, tmp_path: Path
) -> None:
    pool, keys = pool_of(upstream, tmp_path, 50)
    with renewer(upstream, pool, "once", keys) as one, renewer(upstream, pool, "once", keys[::-1]) as two:
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [one.wait(PATIENCE), two.wait(PATIENCE)] == [0, 0]
    assert len(upstream.refreshes) == 50
    assert not upstream.reused_refresh_tokens


def test_after_any_kill_an_account_works_or_its_answer_was_lost_on_the_wire(
    upstream: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at a random moment around a refresh, over and over. What is cut off is counted, and never sent again."""
    pool, keys = pool_of(upstream, tmp_path, 200)
    monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", upstream.token_url)
    chance = random.Random(4)
    alive = set(keys)
    for _ in range(CRASHES):
        some = chance.sample(sorted(alive), 3)
        with renewer(upstream, pool, "forever", some) as process:
            try:
                process.wait(chance.uniform(0.0, 0.6))
            except subprocess.TimeoutExpired:
                process.kill()
        with Store(pool) as store:
            marks = SentMarks(pool.parent / "locks")
            tokens = store.all_credentials()
        alive -= {key for key in some if marks.is_sent(key, tokens[key].refresh)}
    assert not upstream.reused_refresh_tokens, "no refresh token was sent twice"
    lost = len(keys) - len(alive)
    assert lost <= CRASHES, "a kill costs at most the one account whose answer was on the wire"
    with Store(pool) as store:
        last = Refresher(store, pool.parent / "locks", clock.now, pause=lambda _: None)
        for key in keys:
            stale = store.credentials(key)
            assert stale is not None
            renewal = last.renew_now(key, stale, "proactive_expiry")
            assert (renewal.credentials is not None) == (key in alive)
            assert key in alive or renewal.ended == Ending.CUT_OFF
        last.close()
    assert not upstream.reused_refresh_tokens
    logger.info(
        "%d kills, %d refreshes, %d accounts need a login, none sent twice", CRASHES, len(upstream.refreshes), lost
    )
