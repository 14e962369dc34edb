"""While the proxy runs somebody sets the clock, or damages the pool's file."""

import asyncio
import logging
from pathlib import Path

import pytest

from accounts.choice.outcomes import Kind
from accounts.model import Cooldown
from accounts.store.store import Store
from addons.exchange.service import PoolService
from addons.startup import Startup
from addons.upkeep import upkeep
from config import clock as system_clock
from tests.builders import DAY, HOUR, NOW, Clock, account, credentials, key_of
from tests.harness import eventually

A = key_of("a")


async def test_a_rest_of_a_day_to_come_ends_in_its_own_time_when_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(upkeep, "FILE_EVERY", 0.0)
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "home"))
    path, ahead = tmp_path / "home" / "pool.db", NOW + 30 * DAY
    with Store(path) as store:
        store.put_account(account("a"), credentials("a")).result()
        rest = Cooldown(until=ahead + 5 * HOUR, reason=Kind.USAGE_LIMIT, since=ahead)
        store.set_cooldown(A, rest).result()
    told = Clock(ahead)
    monkeypatch.setattr(system_clock, "now", told)
    startup = Startup()
    startup.service = service = PoolService(path, told)
    looking = upkeep.TokenUpkeep(startup)
    looking.running()
    try:
        assert service.pool.candidates[A].cooldown == rest
        await asyncio.sleep(0)  # the first look
        told.now = NOW
        for _ in range(3):
            await asyncio.sleep(0)
        assert "the clock was set back by 2592000 s" in caplog.text
        found = service.pool.candidates[A].cooldown
        assert found is not None
        assert found.until == NOW + 5 * HOUR
    finally:
        looking.done()
        service.close()


async def test_a_file_that_is_damaged_between_two_looks_at_it_is_no_defect_of_the_accounts_keeper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever watches the file says it, as soon as he looks."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(upkeep, "FIRST_LOOK", 0.0)
    monkeypatch.setattr(upkeep, "FILE_EVERY", 600.0)
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "home"))
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        store.put_account(account("a"), credentials("a")).result()
    startup = Startup()
    startup.service = service = PoolService(path, Clock(NOW))
    path.write_bytes(b"\xff" * path.stat().st_size)
    looking = upkeep.TokenUpkeep(startup)
    looking.running()
    try:
        assert await asyncio.to_thread(eventually, lambda: "looking after the accounts" in caplog.text)
        assert "waits for the pool's file" in caplog.text
        assert "defect" not in caplog.text
    finally:
        looking.done()
        service.close()
