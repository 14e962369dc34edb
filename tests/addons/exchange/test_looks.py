"""An account out of service is looked at again while the proxy runs, and its mark goes when the provider says so."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from accounts.model import Standing
from accounts.provider.looking import APART, FIRST_LOOK, SPREAD
from accounts.provider.usage import ProviderAnswer
from accounts.store.store import Store
from accounts.tokens import send_gap
from addons.exchange.service import PoolService
from config.settings import Settings
from tests.builders import DAY, HOUR, NOW, Clock, account, credentials, key_of

A, B = key_of("a"), key_of("b")
FIRST = FIRST_LOOK * (1 + SPREAD)
WELL = ProviderAnswer(status=200, body=b'{"rate_limit": {"allowed": true}}')
CLOSED = ProviderAnswer(status=403, body=b'{"error": {"code": "account_deactivated"}}')


class Provider:
    """Says the same of every account, and counts who was asked about. Its token endpoint says so too."""

    def __init__(self) -> None:
        self.says: ProviderAnswer | OSError = WELL
        self.asked: list[str] = []
        self.renewed: list[str] = []
        self.token_endpoint = (401, b'{"error": {"code": "refresh_token_expired"}}')

    def get(self, url: str, headers: Mapping[str, str]) -> ProviderAnswer:
        self.asked.append(headers["chatgpt-account-id"])
        if isinstance(self.says, OSError):
            raise self.says
        return self.says

    def post(self, url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        leaving()
        self.renewed.append(body["refresh_token"])
        return self.token_endpoint


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pool of two accounts that the provider has closed."""
    monkeypatch.setattr(send_gap, "SEND_GAP", 0.0)
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            store.put_account(account(name), credentials(name, expires_at=NOW + 100 * DAY, own=True)).result()
            store.set_standing(key_of(name), Standing.DEACTIVATED, "account_deactivated").result()
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(path: Path, clock: Clock, provider: Provider) -> PoolService:
    return PoolService(path, clock, provider.post, Settings(), provider.get)


@pytest.fixture
def service(path: Path, clock: Clock, provider: Provider) -> Iterator[PoolService]:
    made = opened(path, clock, provider)
    yield made
    made.close()


async def looks(service: PoolService, clock: Clock, seconds: float, every: float = 60) -> None:
    """The upkeep, for so long."""
    end = clock() + seconds
    while clock() < end:
        await service.look_again()
        clock.advance(every)


async def test_a_mark_goes_when_the_provider_says_that_the_account_is_well(
    service: PoolService, clock: Clock, provider: Provider
) -> None:
    """First after half an hour, one account after the other."""
    await looks(service, clock, FIRST_LOOK - 60)
    assert provider.asked == []
    await looks(service, clock, FIRST - FIRST_LOOK + 10 * APART)
    assert sorted(provider.asked) == ["acct-a", "acct-b"]
    assert {seat.account.standing for seat in service.pool.candidates.values()} == {Standing.GOOD}
    kinds = [event.kind for event in service.store.events(99)]
    assert kinds.count("recovered") == 2
    assert service.store.looks() == {}
    await looks(service, clock, DAY, every=HOUR)
    assert len(provider.asked) == 2


async def test_one_that_is_still_closed_is_asked_ever_less(
    service: PoolService, clock: Clock, provider: Provider
) -> None:
    provider.says = CLOSED
    await looks(service, clock, DAY, every=600)
    assert 4 <= provider.asked.count("acct-a") <= 6
    await looks(service, clock, 10 * DAY, every=600)
    assert provider.asked.count("acct-a") <= 6 + 12
    assert {seat.account.standing for seat in service.pool.candidates.values()} == {Standing.DEACTIVATED}


async def test_two_proxies_ask_once_and_a_restart_begins_nothing_anew(
    path: Path, service: PoolService, clock: Clock, provider: Provider
) -> None:
    provider.says = OSError("no answer")
    other = opened(path, clock, provider)
    try:
        await service.look_again()
        await service.look_again()
        clock.advance(FIRST)
        with closing(sqlite3.connect(path)) as busy:  # both have decided to look before either may write
            busy.execute("BEGIN IMMEDIATE")
            both = [asyncio.ensure_future(each.look_again()) for each in (service, other)]
            for _ in range(9):
                await asyncio.sleep(0)
            busy.rollback()
            await asyncio.gather(*both)
        assert len(provider.asked) == 1
    finally:
        other.close()
    clock.advance(APART)
    again = opened(path, clock, provider)
    await again.look_again()
    again.close()
    assert sorted(provider.asked) == ["acct-a", "acct-b"]


@pytest.mark.parametrize("ended", ["refresh_token_reused", "cut_off"])
async def test_a_token_that_is_known_to_be_spent_is_never_sent(
    service: PoolService, clock: Clock, provider: Provider, ended: str
) -> None:
    """While its access token is good, that is what is asked with."""
    provider.says = ProviderAnswer(status=401, body=b'{"error": {"code": "token_expired"}}')
    for name in "ab":
        service.store.end_renewals(key_of(name), credentials(name).refresh, ended, NOW).result()
        service.store.set_standing(key_of(name), Standing.NEEDS_LOGIN, ended).result()
    service.reload()
    await looks(service, clock, DAY, every=600)
    assert provider.asked
    assert provider.renewed == []


async def test_a_refresh_token_that_a_look_finds_dead_is_sent_once(
    service: PoolService, clock: Clock, provider: Provider
) -> None:
    provider.says = ProviderAnswer(status=401, body=b'{"error": {"code": "token_expired"}}')
    await looks(service, clock, 3 * DAY, every=600)
    assert sorted(provider.renewed) == [credentials("a").refresh, credentials("b").refresh]
    told = {seat.account.standing_reason for seat in service.pool.candidates.values()}
    assert told == {"refresh_token_expired"}


async def test_a_mark_that_comes_again_is_waited_for_anew(
    service: PoolService, clock: Clock, provider: Provider
) -> None:
    await looks(service, clock, FIRST + 10 * APART)
    service.store.set_standing(A, Standing.DEACTIVATED).result()
    service.reload()
    asked = len(provider.asked)
    await looks(service, clock, FIRST_LOOK - 60)
    assert len(provider.asked) == asked
    await looks(service, clock, FIRST)
    assert provider.asked[asked:] == ["acct-a"]
