"""Single-use refresh tokens against crashes and races: no token is sent a third time, or twice but for an answer that
was lost, and no account is lost but by the wire.

`CRASHES=100` (or any number) in the environment kills more often; `make soak` does.
"""

import logging
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.store.store import Store
from accounts.tokens.endings import Ending
from accounts.tokens.endpoint import MOST_PAUSE
from accounts.tokens.oauth import Renewal
from accounts.tokens.refresh import REFUSED, Refresher
from accounts.tokens.sent_marks import SentMarks
from config import clock
from standin import Fault, FaultKind, StandIn
from standin.faults import TOKEN_PATH
from tests import warm
from tests.builders import Clock
from tests.harness import plain_environment, put

logger = logging.getLogger(__name__)

RENEWER = Path(__file__).with_name("renewer.py")
CRASHES = int(os.environ.get("CRASHES", "6"))
PATIENCE = 60.0


@pytest.fixture
def upstream() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


def pool_of(upstream: StandIn, folder: Path, size: int) -> tuple[Path, list[str]]:
    """A pool of logins of its own, whose access tokens are all over."""
    pool = folder / "rotate" / "pool.db"
    pool.parent.mkdir(mode=0o700)
    with Store(pool) as store:
        keys = [put(store, upstream.add_account(f"acc-{n}", expires_in=-60), folder, n) for n in range(size)]
        for key, login in store.all_credentials().items():  # of the pool's own, not imported
            store.save_credentials(key, replace(login, own=True), replaces=login.refresh).result()
    return pool, keys


@contextmanager
def renewer(upstream: StandIn, pool: Path, how: str, keys: list[str]) -> Iterator[subprocess.Popen[str]]:
    environ = {**plain_environment(), "CODEX_REFRESH_TOKEN_URL_OVERRIDE": upstream.token_url}
    argv = [sys.executable, str(RENEWER), str(pool), how, *keys]
    process = warm.Popen(argv, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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


def recovered(pool: Path, keys: list[str]) -> dict[str, Renewal]:
    """What the next process makes of these accounts, whose access tokens are over."""
    with Store(pool) as store:
        refresher = Refresher(store, pool.parent / "locks", clock.now, pause=lambda _: None)
        stale = store.all_credentials()
        found = {key: refresher.renew_now(key, stale[key], "proactive_expiry") for key in keys}
        refresher.close()
    return found


@pytest.mark.parametrize("grace", [0.0, 3600.0], ids=["without grace", "with grace"])
def test_after_any_kill_an_account_works_or_its_answer_was_lost_on_the_wire(
    upstream: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grace: float
) -> None:
    """Killed at a random moment around a refresh, over and over. What was cut off is asked for once more: where the
    provider takes the same token again for a while nothing is lost, else what was on the wire. Never a third time."""
    pool, keys = pool_of(upstream, tmp_path, 10 + 2 * CRASHES)
    monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", upstream.token_url)
    upstream.grant_grace(grace)
    chance = random.Random(4)
    alive, cut = set(keys), 0
    for _ in range(CRASHES):
        some = chance.sample(sorted(alive), 3)
        with renewer(upstream, pool, "forever", some) as process:
            if chance.random() < 0.5:  # while the answer is on its way
                seen = len(upstream.refreshes) + chance.randrange(3)
                upstream.wait_for(lambda seen=seen: len(upstream.refreshes) > seen, seconds=PATIENCE)  # type: ignore[misc]
            else:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(chance.uniform(0.0, 0.3))
            process.kill()
            process.wait()
        with Store(pool) as store:
            marks, tokens = SentMarks(pool.parent / "locks"), store.all_credentials()
        cut += sum(marks.times(key, tokens[key].refresh) for key in some)
        found = recovered(pool, some)
        assert {each.ended for each in found.values()} <= {"", Ending.CUT_OFF}
        alive -= {key for key, renewal in found.items() if renewal.credentials is None}
    lost = len(keys) - len(alive)
    assert lost <= cut <= CRASHES, "a kill costs at most the one account whose answer was on the wire"
    assert not (lost and grace), "what the provider gives again is not lost"
    for key, renewal in recovered(pool, keys).items():
        assert (renewal.credentials is not None) == (key in alive)
        assert key in alive or renewal.ended == Ending.CUT_OFF
    assert upstream.most_sendings <= 2, "no refresh token was sent a third time"
    assert upstream.reused_refresh_tokens == lost
    logger.info(
        "%d kills, %d cut off, %d refreshes, %d accounts need a login", CRASHES, cut, len(upstream.refreshes), lost
    )


def test_an_endpoint_that_spends_tokens_and_drops_its_answers_for_hours_costs_no_account_where_it_takes_them_again(
    upstream: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks, every five minutes: no token leaves for its last time meanwhile."""
    pool, keys = pool_of(upstream, tmp_path, 5)
    monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", upstream.token_url)
    upstream.grant_grace(10 * 86_400.0)
    upstream.fault("*", Fault(FaultKind.RESET, path=TOKEN_PATH, after_output=True))
    now = Clock(clock.now())
    with Store(pool) as store:
        stale = store.all_credentials()
        refresher = Refresher(store, pool.parent / "locks", now, pause=lambda _: None, counted=now)

        def renewed() -> set[str]:
            return {key for key in keys if refresher.renew_now(key, stale[key], REFUSED).credentials is not None}

        for _ in range(4 * 12):
            assert renewed() == set()
            now.advance(300)
        assert upstream.most_sendings == 1
        upstream.clear()
        now.advance(MOST_PAUSE)
        assert set().union(*(renewed() for _ in range(2))) == set(keys)
        refresher.close()
    assert upstream.most_sendings <= 2
    assert not upstream.reused_refresh_tokens
