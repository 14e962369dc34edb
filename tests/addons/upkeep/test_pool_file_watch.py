"""The pool's file goes while the proxy runs: said once, the accounts in memory serve, no renewed token is lost."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.choice.selection import Ask
from accounts.store import trouble_notes
from accounts.store.store import Store
from accounts.tokens import send_gap
from accounts.tokens.sent_marks import LAST_CHANCE
from addons.exchange.service import PoolService
from addons.upkeep.pool_file_watch import PoolFileWatch
from config import clock as system_clock
from config import proxy_files
from tests.builders import HOUR, NOW, Clock, account, credentials, key_of

A = key_of("a")


class Endpoint:
    """Renews everything, and keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def __call__(self, url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        leaving()
        self.sent.append(body["refresh_token"])
        new = f"{body['refresh_token']}+"
        return 200, json.dumps({"access_token": f"access-of-{new}", "refresh_token": new}).encode()


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(send_gap, "SEND_GAP", 0.0)
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "home"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            store.put_account(account(name), credentials(name, expires_at=NOW + 100 * HOUR, own=True)).result()
    return path


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def service(path: Path, endpoint: Endpoint) -> Iterator[PoolService]:
    opened = PoolService(path, Clock(), endpoint)
    yield opened
    opened.close()


@pytest.fixture
def watch(service: PoolService) -> PoolFileWatch:
    return PoolFileWatch(service)


def serves(service: PoolService) -> int:
    """How many accounts there are for a turn that begins now."""
    service.turn(Ask(thread="t"))
    service.pool.select(Ask(thread="t"), NOW)
    return len(service.pool.candidates)


def notes(service: PoolService) -> list[str]:
    return [each.trouble for each in trouble_notes.left(proxy_files.folder(), system_clock.now())]


def move(path: Path) -> None:
    path.rename(path.with_name("moved"))


def move_back(path: Path) -> None:
    path.with_name("moved").rename(path)


def cut(path: Path) -> None:
    for each in (path, path.with_name("pool.db-wal")):
        os.truncate(each, each.stat().st_size // 2)


async def test_it_is_said_once_and_where_commands_look_and_the_accounts_in_memory_serve(
    service: PoolService, watch: PoolFileWatch, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await watch.look()
    assert not notes(service)
    move(path)
    for _ in range(3):
        await watch.look()
        assert serves(service) == 2
    (said,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert "pool.db is not there any more. The proxy goes on from memory (accounts: 2)" in said
    assert notes(service) == ["is not there any more"]
    move_back(path)
    await watch.look()
    assert "is back and is gone on with (accounts: 2)" in caplog.text
    assert not notes(service)
    with Store(path) as other:
        other.put_account(account("c"), credentials("c")).result()
    assert serves(service) == 3


async def test_a_file_that_cannot_be_read_fails_no_turn_before_anybody_has_looked_at_it(
    service: PoolService, watch: PoolFileWatch, path: Path
) -> None:
    with Store(path) as other:
        for name in "cdefgh":
            other.put_account(account(name), credentials(name)).result()
    cut(path)
    assert serves(service) >= 2
    await watch.look()
    assert service.store.file.trouble
    assert serves(service) >= 2


async def test_a_token_that_is_renewed_meanwhile_is_kept_and_stored_when_the_file_is_back(
    service: PoolService, watch: PoolFileWatch, path: Path, endpoint: Endpoint
) -> None:
    move(path)
    await watch.look()
    renewal = await service.renewals.renew_patiently(A, service.pool.tokens[A], "x")
    assert renewal.credentials is not None
    renewal = await service.renewals.renew_patiently(A, service.pool.tokens[A], "x")
    refresh = credentials("a").refresh
    assert endpoint.sent == [refresh, f"{refresh}+"]
    assert service.pool.tokens[A].refresh == f"{refresh}++"
    move_back(path)
    await watch.look()
    service.close()
    with Store(path) as stored:
        assert stored.all_credentials()[A].refresh == f"{refresh}++"
    assert len(endpoint.sent) == 2


async def test_a_token_whose_answer_is_lost_meanwhile_is_sent_twice_at_most(
    service: PoolService, watch: PoolFileWatch, path: Path, endpoint: Endpoint
) -> None:
    move(path)
    await watch.look()
    clock = Clock()
    service.renewals._refresher.clock = clock

    def cut_off(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        endpoint(url, body, leaving)
        raise OSError("the connection dropped")

    service.renewals._refresher.post = cut_off
    for _ in range(4):
        renewal = await service.renewals.renew_patiently(A, service.pool.tokens[A], "unauthorized_recovery")
        assert renewal.credentials is None
        clock.advance(LAST_CHANCE)
    assert renewal.ended
    assert len(endpoint.sent) == 2


async def test_an_older_file_in_its_place_gets_the_newer_logins(
    service: PoolService, watch: PoolFileWatch, path: Path, endpoint: Endpoint
) -> None:
    """What was sent already is in it as a token to send: it must not be."""
    await service.renewals.renew_patiently(A, service.pool.tokens[A], "x")
    older = path.with_name("older.db")
    with Store(older) as store:
        store.put_account(account("a"), credentials("a", own=True)).result()
    older.replace(path)
    await watch.look()
    await watch.look()
    assert not service.store.file.trouble
    assert list(service.pool.candidates) == [A]
    service.sync()
    newest = replace(service.pool.tokens[A])
    assert newest.refresh == credentials("a").refresh + "+"
    with Store(path) as stored:
        assert stored.all_credentials()[A] == newest
        assert stored.spent([credentials("a").refresh])
