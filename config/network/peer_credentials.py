"""Which user of this machine is at the other end of a TCP connection on loopback. Linux tells; other systems do not.

The kernel is asked for the client's own socket, by its exact addresses, and answers with the user who made it. One that
nobody holds any more is root's in those answers, so that a socket which is not open and in somebody's hands counts as
unknown; so does everything that fails. Who passes a connection on is the client: a relay is its own user.

A connection that has ended leaves its addresses to the next one. Being taken for that one is worth nothing: its answers
go to the socket that is gone.
"""

import functools
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from config.network.hosts import is_loopback

type Address = tuple[object, ...]
"""As sockets have it: host, port, and for IPv6 more."""
type Host = ipaddress.IPv4Address | ipaddress.IPv6Address
type Ends = tuple[Host, int, Host, int]
"""The client's address and port, then ours."""

SYSTEM: Final = sys.platform
ESTABLISHED: Final = 1
_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLMSG_ERROR: Final = 2
_NLM_F_REQUEST: Final = 1
_HEAD: Final = struct.Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence, sender."""
_ASKED: Final = struct.Struct("=BBBxI")
"""inet_diag_req_v2 up to the socket's id: family, protocol, extensions, states."""
_ID: Final = struct.Struct("!HH16s16s")
"""inet_diag_sockid: ports and addresses in network order; an interface and a cookie follow."""
_ANY: Final = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_TOLD: Final = struct.Struct("=BBBB48xIIIII")
"""inet_diag_msg: family, state, timer, retransmissions; after the id expiry, queues, uid, inode."""
_OVERFLOW: Final = 65_534
_WHOLE: Final = "0 0 4294967295"
"""/proc/self/uid_map where every user id is what it says."""


_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


class _NotTold(Exception):
    """The kernel cannot be asked in this way."""


def own_uid(system: str = SYSTEM) -> int | None:
    """The user who runs this process. None where that is no help in telling users apart: on a system that does not say
    whose a connection is, and for the id that a container shows for everybody it does not know."""
    if system != "linux":
        return None
    own, overflow, uid_map = os.geteuid(), _OVERFLOW, ""
    with suppress(OSError, ValueError):
        overflow = int(Path("/proc/sys/kernel/overflowuid").read_text("ascii"))
        uid_map = Path("/proc/self/uid_map").read_text("ascii")
    return own if is_somebody(own, overflow, uid_map) else None


def is_somebody(uid: int, overflow: int, uid_map: str) -> bool:
    """Whether an id stands for one user only. `overflow` stands for all that have no id of their own in this
    container, which `uid_map` describes; outside of containers nobody is without."""
    return uid != overflow or " ".join(uid_map.split()) == _WHOLE


def uid_of(client: Address | None, ours: Address | None) -> int | None:
    """The user at the client's end of an open connection on this machine; None for what is not known. Never raises."""
    if SYSTEM != "linux" or not client or not ours or not is_loopback(_plain(client[0])):
        return None
    try:
        ends = _ends_of(client, ours)
        try:
            return _asked(ends)
        except FileNotFoundError:
            return None if _knows_sockets() else _looked_up(ends)
        except (_NotTold, OSError):
            return _looked_up(ends)
    except (OSError, ValueError, IndexError, struct.error):
        return None


def can_tell(system: str = SYSTEM) -> bool:
    """Whether users of this machine can be told apart here: tried with a connection of our own."""
    if own_uid(system) is None:
        return False
    with suppress(OSError), _a_connection() as (client, ours):
        return uid_of(client, ours) == own_uid(system)
    return False


def _ends_of(client: Address, ours: Address) -> Ends:
    return _parsed(client[0]), _port(client[1]), _parsed(ours[0]), _port(ours[1])


def _plain(host: object) -> str:
    return str(host).removeprefix("::ffff:").partition("%")[0]


def _parsed(host: object) -> Host:
    return ipaddress.ip_address(_plain(host))


def _port(number: object) -> int:
    if not isinstance(number, int) or not 0 < number < 65536:
        raise ValueError(number)
    return number


# --- asking the kernel -----------------------------------------------------------------------------------------------


def _asked(ends: Ends) -> int | None:
    """By sock_diag(7), for this one socket. Raises FileNotFoundError where there is none, _NotTold or another OSError
    where the kernel cannot be asked so."""
    client, client_port, ours, our_port = ends
    family = socket.AF_INET6 if client.version == 6 else socket.AF_INET
    wanted = _ID.pack(client_port, our_port, client.packed.ljust(16, b"\0"), ours.packed.ljust(16, b"\0"))
    body = _ASKED.pack(family, socket.IPPROTO_TCP, 0, 1 << ESTABLISHED) + wanted + _ANY
    head = _HEAD.pack(_HEAD.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK  # the answer is there when the question is sent
    with closing(socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)) as kernel:
        kernel.sendto(head + body, (0, 0))
        answer, (sender, *_) = kernel.recvfrom(8192)
    _, answered, _, _, _ = _HEAD.unpack_from(answer)
    if sender == 0 and answered == _NLMSG_ERROR:
        (code,) = struct.unpack_from("=i", answer, _HEAD.size)
        raise OSError(-code, os.strerror(-code))
    if sender != 0 or answered != _SOCK_DIAG_BY_FAMILY:
        raise _NotTold
    found, state, _, _, _, _, _, uid, inode = _TOLD.unpack_from(answer, _HEAD.size)
    ports_and_hosts = _ID.unpack_from(answer, _HEAD.size + 4)
    held = state == ESTABLISHED and inode != 0
    return int(uid) if held and _ends(found, *ports_and_hosts) == ends else None


def _ends(family: int, client_port: int, our_port: int, client: bytes, ours: bytes) -> Ends:
    size = 16 if family == socket.AF_INET6 else 4
    hosts = (ipaddress.ip_address(each[:size]) for each in (client, ours))
    mine, theirs = (getattr(each, "ipv4_mapped", None) or each for each in hosts)
    return mine, client_port, theirs, our_port


@functools.cache
def _knows_sockets() -> bool:
    """Whether the kernel finds a socket that is there. Without its module for this it says that there is none."""
    with suppress(OSError, _NotTold), _a_connection() as (client, ours):
        return _asked(_ends_of(client, ours)) is not None
    return False


@contextmanager
def _a_connection() -> Iterator[tuple[Address, Address]]:
    """Both ends of a connection of our own."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        ours = listening.getsockname()
        with closing(socket.create_connection(ours, timeout=1.0)) as client:
            yield client.getsockname(), ours


# --- looking it up ---------------------------------------------------------------------------------------------------


def _looked_up(ends: Ends, tables: Sequence[Path] = _TABLES) -> int | None:
    """In the kernel's list of all connections, which takes longer the more there are. Raises OSError."""
    client, client_port, ours, our_port = ends
    for table, mapped in zip(tables, (False, True), strict=True):
        if client.version == 6 and not mapped:
            continue
        wanted = [
            f"{_in_table(host, mapped=mapped)}:{port:04X}" for host, port in ((client, client_port), (ours, our_port))
        ]
        for line in table.read_text("ascii").splitlines():
            fields = line.split()
            if fields[1:3] == wanted and int(fields[3], 16) == ESTABLISHED and fields[9] != "0":
                return int(fields[7])
    return None


def _in_table(host: Host, *, mapped: bool) -> str:
    """An address as the kernel lists it: words of four bytes, each in this machine's own order."""
    packed = ipaddress.IPv6Address(f"::ffff:{host}").packed if mapped and host.version == 4 else host.packed
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
