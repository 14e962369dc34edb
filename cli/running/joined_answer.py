"""What is at the address of a joined proxy. It is told its key inside of TLS only, once it has proven whose it is.

It is somebody else's, so it cannot sign with what is in our folder. It has the private key of the certificate that
came with the key file, which clients have to trust anyway. Who has taken its port cannot hold such a conversation, and
who passes it on to the proxy at another port of this machine is given away by the address that the proxy then names.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from typing import Final, NamedTuple

from accounts.people.keys import NOBODY
from cli.running.proxies import ASK_SECONDS, ProxyAnswer
from config import proxy_files
from config.join_file import Invitation
from config.network.hosts import is_loopback
from config.network.proxy_address import basic
from config.provider import PROVIDER

MOST_BYTES: Final = 64 * 1024
_HEAD_ENDS: Final = b"\r\n\r\n"
_SOMETHING: Final = ProxyAnswer(status=1)


def ask_joined(invitation: Invitation) -> ProxyAnswer:
    """What is there, and whether it takes the key. A proxy that does not is `refused`."""
    context = ssl.create_default_context(cadata=invitation.certificate)
    address = invitation.host, invitation.port
    try:
        with closing(socket.create_connection(address, timeout=ASK_SECONDS)) as raw:
            connect_through(raw, PROVIDER.host, 443, "")
            with context.wrap_socket(raw, server_hostname=PROVIDER.host) as wire:
                return _asked(wire, wire.getpeername()[:2], invitation.key)
    except (ssl.SSLError, NotLedOn, http.client.HTTPException, ValueError):
        return _SOMETHING
    except OSError:
        return ProxyAnswer()


def _asked(wire: ssl.SSLSocket, peer: tuple[str, int], key: str) -> ProxyAnswer:
    """First who it is, then with the key."""
    connection = http.client.HTTPConnection(proxy_files.HOST)
    connection.sock = wire
    connection.auto_open = 0
    first = _said(connection, {})
    if not is_at(first.reached_at, peer):
        return _SOMETHING
    said = _said(connection, {"proxy-authorization": basic(NOBODY, key)})
    presence = proxy_files.from_json(said.body) if said.status == 200 else None
    return ProxyAnswer(presence=presence, status=said.status or 1, refused=presence is None)


class _Said(NamedTuple):
    status: int
    reached_at: str
    body: bytes


def _said(connection: http.client.HTTPConnection, headers: Mapping[str, str]) -> _Said:
    connection.request("GET", "/", headers=headers)
    answer = connection.getresponse()
    return _Said(answer.status, answer.headers.get(proxy_files.REACHED_AT, ""), answer.read(MOST_BYTES))


def is_at(told: str, peer: tuple[str, int]) -> bool:
    """Whether a proxy of ours speaks, and was reached where we have called. From another machine it may be known by
    another address than its own, so that only its own machine can tell."""
    host, _, port = told.rpartition(" ")
    return bool(host) and (not is_loopback(peer[0]) or (host, port) == (peer[0], str(peer[1])))


class NotLedOn(ConnectionError):
    """Whoever is there does not lead a connection on as a proxy does."""


def connect_through(raw: socket.socket, host: str, port: int, authorization: str) -> None:
    """Have the proxy at the other end of this connection lead it on. Raises OSError."""
    said = f"proxy-authorization: {authorization}\r\n" if authorization else ""
    raw.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n{said}\r\n".encode())
    head = b""
    while _HEAD_ENDS not in head:
        piece = raw.recv(1)
        if not piece or len(head) > 8192:
            raise NotLedOn("no answer to CONNECT")
        head += piece
    if head.split(b" ", 2)[1:2] != [b"200"]:
        raise NotLedOn("CONNECT was refused")
