"""What the token endpoint says, in the real proxy: only its own words end a login, and nothing is sent twice."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from accounts.model import Standing
from accounts.store.store import Store
from standin import Account, Fault, FaultKind, StandIn
from tests.harness import Proxy, eventually, fill
from tests.proxy.clients import http1, turn1

TURNS = 4


@dataclass
class Tired:
    """Two accounts: the preferred one's token is due to be renewed and good for four minutes, the other one's lasts."""

    upstream: StandIn
    first: Account
    second: Account
    home: Path
    confdir: Path

    def turns(self, proxy: Proxy, count: int = TURNS) -> list[str]:
        """Who answered: each turn is a thread of its own."""
        own, found = self.second.access_token, []
        with http1(proxy) as client:
            for number in range(count):
                headers = {"authorization": f"Bearer {own}", "content-type": "application/json"}
                found.append(turn1(client, headers | {"thread-id": f"t{number}"}).text)
        return found

    def stored(self) -> tuple[Standing, str]:
        """The first one's standing, and what ended its login."""
        with Store(self.home / "pool.db") as store:
            seat = next(each for each in store.accounts() if each.key == self.first.identity.key)
            login = store.credentials(seat.key)
            assert login is not None
            return seat.standing, login.ended

    def proxy(self) -> Proxy:
        return Proxy(self.upstream, self.home, self.confdir)


@pytest.fixture
def tired(tmp_path: Path, confdir: Path) -> Iterator[Tired]:
    with StandIn() as upstream:
        first, second = upstream.add_account("acc-1", expires_in=240), upstream.add_account("acc-2")
        fill(tmp_path / "rotate", [first, second], tmp_path)
        with Store(tmp_path / "rotate" / "pool.db") as store:
            login = store.credentials(first.identity.key)
            assert login is not None
            long_ago = replace(login, refreshed_at=1.0)
            store.save_credentials(first.identity.key, long_ago, replaces=login.refresh).result()
        yield Tired(upstream, first, second, tmp_path / "rotate", confdir)


@pytest.mark.parametrize("answer", ["refresh_token_reused", "other_account"])
def test_a_token_that_brings_nothing_is_sent_once_and_the_account_serves_on(tired: Tired, answer: str):
    """Also after a restart."""
    tired.first.refreshes_get(answer)
    for _ in range(2):
        with tired.proxy() as proxy:
            assert tired.turns(proxy) == [tired.first.answer] * TURNS
            said = proxy.stop()
    assert len(tired.upstream.refreshes) == 1
    assert tired.upstream.reused_refresh_tokens == 0
    standing, ended = tired.stored()
    assert standing is Standing.GOOD
    assert ended == ("other_account" if answer.startswith("other") else answer)
    assert not [token for token in tired.first.refresh_tokens_issued if token in said]


def test_an_answer_that_is_lost_is_not_asked_for_twice(tired: Tired):
    tired.upstream.fault("acc-1", Fault(FaultKind.RESET, path="/oauth/token", after_output=True))
    with tired.proxy() as proxy:
        assert tired.turns(proxy) == [tired.first.answer] * TURNS
    assert len(tired.upstream.refreshes) == 1
    assert tired.stored() == (Standing.GOOD, "cut_off")


@pytest.mark.parametrize("answer", ["html_401", "temporarily_unavailable"])
def test_trouble_of_the_moment_marks_nobody_and_is_not_asked_with_each_request(tired: Tired, answer: str):
    tired.first.refreshes_get(answer, times=1)
    with tired.proxy() as proxy:
        assert tired.turns(proxy) == [tired.first.answer] * TURNS
        assert len(tired.upstream.refreshes) == 1
        tired.upstream.wait_for(lambda: len(tired.upstream.refreshes) == 2, seconds=60)  # the upkeep tries again
        assert eventually(lambda: tired.stored() == (Standing.GOOD, ""))
    assert [each.ok for each in tired.upstream.refreshes] == [False, True]


def test_tokens_that_live_for_minutes_are_used_until_near_their_end(tired: Tired):
    """One renewal for all requests, though each new one ends within the time before which others are renewed."""
    tired.first.tokens_live = 240
    with tired.proxy() as proxy:
        assert tired.turns(proxy) == [tired.first.answer] * TURNS
    assert len(tired.upstream.refreshes) == 1
    assert tired.stored() == (Standing.GOOD, "")
