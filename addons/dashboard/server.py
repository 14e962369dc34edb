"""The page of a running proxy: what its answers share."""

import secrets
import socket
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from tornado import httputil, web
from tornado.httpserver import HTTPServer

from accounts.people.keys import LOCAL, Origin, origin
from addons.dashboard.access import SESSION_SECONDS, PageAccess, PageDoors, Session
from addons.dashboard.actions import PageChanges
from addons.dashboard.contents import Contents
from addons.dashboard.feed import Feed
from addons.dashboard.health import Health
from addons.dashboard.metrics import Metrics
from addons.dashboard.views.frame import PageNotice
from config import clock
from config.network import peer_credentials
from config.network.hosts import is_loopback
from config.page.address import PageAddress

MOST_NOTICES: Final = 100
MOST_ASKED: Final = 64 * 1024
"""Bytes of a request's body."""
IDLE_SECONDS: Final = 120.0
BODY_SECONDS: Final = 10.0


class Machines(NamedTuple):
    """What is counted, and whether all is well."""

    metrics: Metrics
    health: Health


class Notices:
    """Words about what was just done, on their way to the page that shows them."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, PageNotice] = OrderedDict()

    def kept(self, notice: PageNotice) -> str:
        name = secrets.token_hex(8)
        self._waiting[name] = notice
        while len(self._waiting) > MOST_NOTICES:
            self._waiting.popitem(last=False)
        return name

    def taken(self, name: str) -> PageNotice | None:
        """Once: who loads the page again has read it."""
        return self._waiting.pop(name, None)


class PageServer:
    """One per proxy. `proxy` tells where clients find it."""

    def __init__(self, address: PageAddress, token: str, contents: Contents, proxy: Callable[[], str]) -> None:
        self.address = address
        self.contents = contents
        self.proxy = proxy
        self.access = PageAccess(token, self._doors)
        self.changes = PageChanges()
        self.notices = Notices()
        self.feed = Feed(contents.shown, clock.monotonic)
        self._static: dict[Path, bytes] = {}
        self._server: HTTPServer | None = None
        self.machines: Machines | None = None
        """What machines ask for; None answers them nothing."""

    def open(self, listener: socket.socket) -> None:
        """Begin to answer."""
        from addons.dashboard.handlers import application  # late: it is about this class

        self._server = HTTPServer(
            application(self),
            max_body_size=MOST_ASKED,
            max_header_size=MOST_ASKED // 4,
            idle_connection_timeout=IDLE_SECONDS,
            body_timeout=BODY_SECONDS,
        )
        self._server.add_socket(listener)

    def close(self) -> None:
        """Answer no more. What listens is told by the end of its connection, and comes back by itself."""
        self.feed.close()
        if self._server is not None:
            self._server.stop()
            self._server = None
        self.contents.reader.close()

    @property
    def cookie(self) -> str:
        """The name of the cookie: browsers do not keep the ports of a machine apart."""
        return f"codex_rotate_page_{self.address.port}"

    def may_come(self, remote: str) -> bool:
        """Others than this machine only while there are keys, which say who they are."""
        return is_loopback(remote.removeprefix("::ffff:")) or self._has_keys()

    def enter(self, shown: str, request: httputil.HTTPServerRequest) -> Session | None:
        """The session of somebody who shows the token, a code or a key."""
        stream = getattr(request.connection, "stream", None)
        wire = getattr(stream, "socket", None)
        peer, ours = (wire.getpeername(), wire.getsockname()) if wire is not None else (None, None)
        own, here = peer_credentials.own_uid(), is_loopback((request.remote_ip or "").removeprefix("::ffff:"))
        place = origin(here=here, uid=peer_credentials.uid_of(peer, ours) if here else None, own=own)
        return self.access.entered(shown.strip(), clock.now(), trusted=place is not Origin.NEIGHBOUR)

    def give(self, answer: web.RequestHandler, session: Session) -> None:
        """The session's cookie: for no script, and for no request that another site has made."""
        answer.set_cookie(
            self.cookie, session.cookie, httponly=True, samesite="Strict", path="/", max_age=int(SESSION_SECONDS)
        )

    def changed(self) -> None:
        """The pool was changed from here: the proxy goes by it from the next request on."""
        self.contents.forget()

    def static(self, file: Path) -> bytes:
        if file not in self._static:
            self._static[file] = file.read_bytes()
        return self._static[file]

    def _doors(self) -> PageDoors:
        clients = self.contents.service.clients
        return PageDoors(keys=clients.keys.known, registry=clients.people.registry)

    def _has_keys(self) -> bool:
        return any(name != LOCAL for name in self.contents.service.clients.keys.known.values())
