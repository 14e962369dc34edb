"""A conversation with the official CLI that moves between accounts: what it keeps, and what it never pays twice."""

from dataclasses import replace
from pathlib import Path

import pytest

from accounts.store.store import Store
from config import clock
from standin import Fault, FaultKind
from tests.e2e.conftest import SetUp
from tests.e2e.test_rotation import SAY_HI, said_upstream, unnoticed
from tests.harness import eventually

LIMIT = Fault(FaultKind.USAGE_LIMIT, resets_in=3600)


def happened(tmp_path: Path, kind: str) -> int:
    """How often something is in the pool's history."""
    with Store(tmp_path / "rotate" / "pool.db") as store:
        return sum(event.kind == kind for event in store.events(500))


def test_reasoning_that_another_account_sealed_is_left_out_once_it_was_refused(
    set_up: SetUp, transport: str, tmp_path: Path
):
    """The user notices nothing, and the next turns go without it from the start."""
    scene = set_up()
    scene.upstream.seal_reasoning = True
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", transport)
    scene.upstream.fault("acc-1", LIMIT)
    for prompt in ("and again", "and once more"):
        ran = scene.codex.run("resume", "--last", prompt)
        assert unnoticed(ran, "Hello from acc-2.", transport, prompt=prompt)
        assert said_upstream(scene.codex, "Hello from acc-1.")
    assert eventually(lambda: happened(tmp_path, "unsealed") == 1)
    assert happened(tmp_path, "invalid_encrypted_content") == 1


def test_another_thread_between_the_same_accounts_does_not_pay_for_it_again(
    set_up: SetUp, transport: str, tmp_path: Path
):
    """What one thread found out about two workspaces holds for all."""
    scene = set_up()
    scene.upstream.seal_reasoning = True
    threads = []
    for name in ("one", "two"):
        ran = scene.codex.run(f"thread {name}")
        assert ran.code == 0, ran.err
        threads.append(ran.session)
    scene.upstream.fault("acc-1", LIMIT)
    for thread in threads:
        assert unnoticed(scene.codex.run("resume", thread, SAY_HI), "Hello from acc-2.", transport)
    assert happened(tmp_path, "invalid_encrypted_content") == 1


def test_a_thread_returns_to_its_account_when_that_is_back(set_up: SetUp, transport: str, tmp_path: Path):
    """Its prompt cache is there; the other account was a detour."""
    scene = set_up()
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", transport)
    scene.upstream.fault("acc-1", LIMIT)
    assert unnoticed(scene.codex.run("resume", "--last", SAY_HI), "Hello from acc-2.", transport)
    scene.upstream.clear()
    with Store(tmp_path / "rotate" / "pool.db") as store:
        for key in store.cooldowns():
            store.clear_cooldown(key).result()
            fresh = [replace(w, used_percent=5.0, seen_at=clock.now()) for w in store.windows()[key]]
            store.set_windows(key, tuple(fresh)).result()
    assert unnoticed(scene.codex.run("resume", "--last", SAY_HI), "Hello from acc-1.", transport)


@pytest.mark.parametrize("in_band", [False, True])
def test_an_account_that_is_asked_too_often_answers_a_moment_later_and_is_left_if_it_stays_busy(
    set_up: SetUp, transport: str, in_band: bool
):
    """No switch for a second's patience."""
    scene = set_up()
    busy = Fault(FaultKind.BURST_LIMIT, retry_after=1, in_band=in_band)
    scene.upstream.fault("acc-1", busy, times=1)
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", transport)
    assert set(scene.served_by()) == {"acc-1"}
    scene.upstream.fault("acc-1", busy)
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-2.", transport)
