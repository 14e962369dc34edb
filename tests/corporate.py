"""A forward proxy as companies have them: CONNECT, absolute-form requests, Basic authentication, and its bad days.

It plays honestly on loopback and nowhere else: the hosts it is asked for are looked up in `hosts`, which says what port
of this machine stands for port 443 and port 80 of every name.
"""

import base64
import contextlib
import enum
import select
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"
_HEAD: Final = b"\r\n\r\n"
_CHUNK: Final = 65536


class Trouble(enum.Enum):
    """What it does instead of letting a request through."""

    REFUSE = enum.auto()
    """Answers with the status that `refuse_with` says."""
    HANG = enum.auto()
    """Takes the request and says nothing."""
    CLOSE = enum.auto()
    """Takes the request and closes the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came. `status` is 0 where none was given; `headers` have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    status: int


class Corporate:
    """A context manager. With `user` and `password` nobody gets through without them; with `tls` it speaks https."""

    def __init__(
        self, hosts: Mapping[int, int], user: str = "", password: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.hosts = hosts
        self.trouble: Trouble | None = None
        self.refuse_with = 503
        self._wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
        self._tls = tls
        self._asked: list[Asked] = []
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._keep(self._listener)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop everything; nobody listens any more."""
        with self._guard:
            dropped, self._open = self._open, set()
        for each in dropped:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    @property
    def asked(self) -> tuple[Asked, ...]:
        """What it was asked for so far."""
        with self._guard:
            return tuple(self._asked)

    def targets(self, method: str = "CONNECT") -> list[str]:
        return [each.target for each in self.asked if each.method == method]

    def url(self, user: str = "", password: str = "") -> str:
        """Its address. `user` and `password` as they stand in an address, percent-encoded."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{f'{user}:{password}@' if user else ''}{LOOPBACK}:{self.port}"

    def _keep(self, sock: socket.socket) -> None:
        with self._guard:
            self._open.add(sock)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            self._keep(client)
            with closing(client):
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        head = b""
        while _HEAD not in head:
            data = client.recv(_CHUNK)
            if not data:
                return
            head += data
        head, _, body = head.partition(_HEAD)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = self._judge(headers)
        with self._guard:
            self._asked.append(Asked(method=method, target=target, headers=headers, status=status))
        if status != 200:
            if status:
                client.sendall(f"HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            if status == 0 and self.trouble is Trouble.HANG:
                client.recv(_CHUNK)  # until the other side has had enough
            return
        self._forward(client, method, target, lines, body)

    def _judge(self, headers: Mapping[str, str]) -> int:
        if self._wanted and headers.get("proxy-authorization") != self._wanted:
            return 407
        return {None: 200, Trouble.REFUSE: self.refuse_with}.get(self.trouble, 0)

    def _forward(self, client: socket.socket, method: str, target: str, lines: list[str], body: bytes) -> None:
        if method == "CONNECT":
            port, first = int(target.rpartition(":")[2]), body
        else:
            authority, _, path = target.partition("://")[2].partition("/")
            port = int(authority.rpartition(":")[2]) if ":" in authority else 80
            kept = [line for line in lines if not line.lower().startswith("proxy-")]
            first = "\r\n".join([f"{method} /{path} HTTP/1.1", *kept]).encode("latin-1") + _HEAD + body
        with closing(socket.create_connection((LOOPBACK, self.hosts[port]))) as server:
            self._keep(server)
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            server.sendall(first)
            _relay(client, server)


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Both directions until either side is done; in one thread, because TLS sockets cannot be used from two."""
    others = {client: server, server: client}
    with contextlib.suppress(OSError, ValueError):  # the latter for a socket that was closed meanwhile
        while True:
            ready = [each for each in others if isinstance(each, ssl.SSLSocket) and each.pending()]
            for source in ready or select.select(list(others), [], [])[0]:
                data = source.recv(_CHUNK)
                if not data:
                    return
                others[source].sendall(data)
