"""The user at the other end of a connection is told by the kernel, and nobody is taken for another."""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from config import clock
from config.network import peer_credentials
from config.network.peer_credentials import Address, can_tell, is_somebody, own_uid, uid_of
from tests.harness import eventually
from tests.rows import all_rows
from tests.users import OTHER, acting_as, why_not

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
as_others = pytest.mark.skipif(bool(why_not()), reason=why_not())

FAMILIES = [
    ("127.0.0.1", "127.0.0.1"),
    ("127.5.5.5", "127.5.5.5"),
    ("::1", "::1"),
    ("::", "::1"),
    ("::", "127.0.0.1"),
    ("::", "::ffff:127.0.0.1"),
]
"""Where a server listens, and where its client goes."""


@contextmanager
def met(listen: str, to: str, uid: int | None = None) -> Iterator[tuple[socket.socket, socket.socket, Address]]:
    """A client, the server's end of its connection, and the client's address as the server sees it."""
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    if family == socket.AF_INET6 and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with socket.socket(family) as server:
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            server.bind((listen, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        server.listen()
        with acting_as(uid):
            client = socket.create_connection((to, server.getsockname()[1]), timeout=5)
        accepted, address = server.accept()
        with closing(client), closing(accepted):
            yield client, accepted, address


@all_rows(("listen", "to"), FAMILIES)
def test_the_user_who_opened_it(listen: str, to: str) -> None:
    with met(listen, to) as (_, accepted, address):
        assert uid_of(address, accepted.getsockname()) == os.geteuid()


@as_others
@pytest.mark.parametrize(("listen", "to"), FAMILIES)
def test_another_user_is_another_user(listen: str, to: str) -> None:
    with met(listen, to, OTHER) as (_, accepted, address):
        assert uid_of(address, accepted.getsockname()) == OTHER


@as_others
@pytest.mark.parametrize(("listen", "to"), FAMILIES)
def test_the_kernel_s_list_says_the_same(listen: str, to: str) -> None:
    """For where it cannot be asked for one connection."""
    for uid in (None, OTHER):
        with met(listen, to, uid) as (_, accepted, address):
            ends = peer_credentials._ends_of(address, accepted.getsockname())
            assert peer_credentials._looked_up(ends) == (os.geteuid() if uid is None else uid)
            assert peer_credentials._asked(ends) == (os.geteuid() if uid is None else uid)


@all_rows(("listen", "to"), FAMILIES)
@all_rows("abrupt", [False, True], ids=["closed", "reset"])
def test_a_client_that_has_gone_is_nobody(listen: str, to: str, abrupt: bool) -> None:
    """To the kernel what it leaves behind is root's, and tests run as root: it must not be taken for the owner."""
    with met(listen, to) as (client, accepted, address):
        ours = accepted.getsockname()
        ends = peer_credentials._ends_of(address, ours)
        if abrupt:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert uid_of(address, ours) is None
        assert peer_credentials._looked_up(ends) is None
        accepted.close()  # what is left now waits for its time to pass
        assert uid_of(address, ours) is None
        assert peer_credentials._looked_up(ends) is None


@as_others
def test_addresses_that_are_used_again_are_their_new_user_s() -> None:
    """A port of the owner's, taken over by somebody else the moment it is free; whoever else on this machine may have
    been given it, then another one will do."""
    assert any(is_taken_over() for _ in range(3))


def is_taken_over() -> bool:
    """False if the port could not be had."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = server.getsockname()
        with socket.create_connection(where, timeout=5) as first:
            accepted, address = server.accept()
            first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        with acting_as(OTHER), socket.socket() as second:
            second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if not bound(second, address):
                return False
            second.connect(where)
            accepted, again = server.accept()
            with accepted:
                assert again == address
                assert uid_of(again, where) == OTHER
            return True


def bound(listening: socket.socket, address: tuple[str, int]) -> bool:
    """Whether the address is free by now: the kernel takes a connection down in its own time."""
    try:
        listening.bind(address)
    except OSError:
        return False
    return True


@as_others
@pytest.mark.serial
def test_who_listens_at_the_client_s_port_is_not_the_client() -> None:
    """The kernel would name a listening socket where there is no connection. A port that is free may be given to
    anybody on this machine: then another one will do."""
    assert any(is_nobody_who_listens() for _ in range(3))


def is_nobody_who_listens() -> bool:
    """False if the port could not be had."""
    with met("127.0.0.1", "127.0.0.1", OTHER) as (client, accepted, address):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if not eventually(lambda: bound(listening, address), 5.0):
                return False
            listening.listen()
            assert uid_of(address, accepted.getsockname()) is None
            return True


@as_others
def test_it_is_who_opened_it_and_not_who_has_it_now() -> None:
    """As with a program that changes its user, or gets the connection from another one."""
    with met("127.0.0.1", "127.0.0.1") as (_, accepted, address), acting_as(OTHER):
        assert uid_of(address, accepted.getsockname()) == 0
    with met("127.0.0.1", "127.0.0.1", OTHER) as (_, accepted, address):
        assert uid_of(address, accepted.getsockname()) == OTHER


@all_rows(
    ("client", "ours"),
    [
        (None, ("127.0.0.1", 1)),
        (("127.0.0.1", 1), None),
        ((), ()),
        (("127.0.0.1",), ("127.0.0.1",)),
        (("", 1), ("", 2)),
        (("127.0.0.1", 0), ("127.0.0.1", 70_000)),
        (("127.0.0.1", "1"), ("127.0.0.1", 2)),
        (("127.0.0.1", 1), ("::1", 2)),
        (("/tmp/socket", 1), ("/tmp/socket", 2)),
        (("127.0.0.1", 1), ("127.0.0.1", 2)),
        (("10.0.0.1", 1), ("10.0.0.2", 2)),
    ],
)
def test_what_is_no_connection_here_is_nobody_s(client: Address | None, ours: Address | None) -> None:
    """And nothing raises."""
    assert uid_of(client, ours) is None


def test_it_takes_a_moment_only() -> None:
    """It is asked for at each connection, before anything is read. The best of many: others use this machine."""
    with met("127.0.0.1", "127.0.0.1") as (_, accepted, address):
        ours, took = accepted.getsockname(), []
        for _ in range(200):
            began = clock.monotonic()
            assert uid_of(address, ours) is not None
            took.append(clock.monotonic() - began)
    assert min(took) < 0.0005


def test_here_users_can_be_told_apart() -> None:
    assert can_tell()
    assert own_uid() == os.geteuid()


@pytest.mark.parametrize("system", ["darwin", "win32", "freebsd14"])
def test_on_other_systems_they_cannot(system: str) -> None:
    assert own_uid(system) is None
    assert not can_tell(system)


@all_rows(
    ("uid", "uid_map", "somebody"),
    [
        (1000, "", True),
        (1000, "0 100000 65536\n", True),
        (65_534, "         0          0 4294967295\n", True),
        (65_534, "0 100000 65536\n", False),
        (65_534, "0 1000 1\n1 100000 65536\n", False),
        (65_534, "", False),
    ],
)
def test_the_id_of_everybody_a_container_does_not_know_is_nobody_s(uid: int, uid_map: str, somebody: bool) -> None:
    """A proxy that runs under it there would take them all for its owner."""
    assert is_somebody(uid, 65_534, uid_map) is somebody
