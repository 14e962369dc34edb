"""A pool of two accounts, and a socket of a client."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accounts.store.store import Store
from addons.exchange.service import PoolService
from addons.exchange.sockets.pooled_socket import PooledSocket
from tests.addons.exchange.sockets.talking import CREATE, CREATED, LOST, upgrade
from tests.builders import HOUR, NOW, Clock, account, credentials


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(tmp_path: Path, clock: Clock) -> Iterator[PoolService]:
    """A pool of two accounts, as the proxy has it. Nothing here asks the token endpoint."""
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            tokens = credentials(name, expires_at=NOW + HOUR)
            store.put_account(account(name, plan="plus"), tokens).result()

    def nobody(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        raise AssertionError("a socket asked for new tokens")

    opened = PoolService(path, clock, nobody)
    yield opened
    opened.close()


@pytest.fixture
def socket(service: PoolService) -> PooledSocket:
    """Upgraded on account a, by thread t."""
    return upgrade(service)


@pytest.fixture
def turn(socket: PooledSocket) -> PooledSocket:
    """The same, with a turn under way and no output yet."""
    assert socket.from_client(CREATE) == CREATE
    assert socket.from_server(CREATED) is None
    return socket


@pytest.fixture
def bound(socket: PooledSocket) -> PooledSocket:
    """The same, with a turn that no other socket could serve."""
    assert socket.from_client(LOST) == LOST
    assert socket.from_server(CREATED) is None
    return socket
