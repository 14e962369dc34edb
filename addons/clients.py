"""Who may use the proxy, and for which account a client asks: what it says with its CONNECT holds for the connection.

Who shows a client key may, from anywhere. Without any in the pool the user who runs the proxy may as well, as told by
whose the connection is. Each request is judged anew, with the pool as it is then; whatever fails lets nobody in.
`expulsion.py` ends what goes on without a request.

A connection to the provider's hosts is opened also to those who may not, so that they can be told why: their requests
are answered here, and nothing is connected to for them.
"""

import logging
import re
import weakref
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Final

from mitmproxy import connection, http
from mitmproxy.proxy import server_hooks

from accounts.choice.pool import key_named
from accounts.model import fingerprint
from accounts.people.keys import (
    LOCAL,
    NOBODY,
    Doors,
    Introduced,
    Origin,
    Refusal,
    Refused,
    Visitor,
    admitted,
    introduced,
    origin,
)
from accounts.people.virtual_login import is_virtual, key_in
from addons.exchange.answering import refusals
from addons.startup import Startup
from addons.wire import answers
from addons.wire.routes import INTERCEPT
from config import proxy_files
from config.network import peer_credentials
from config.network.hosts import is_loopback

HEADER: Final = "proxy-authorization"
HERE: Final = "this machine"
BROKEN: Final = "a login of ours that is not as it was made"
"""Stands for the key in it, and is none."""
REMEDIES: Final[Mapping[Refusal, str]] = {
    Refusal.KEY_NEEDED: "it shows no key: `codex-rotate keys add NAME --host HOST` makes one",
    Refusal.KEY_UNKNOWN: "it shows a key that this pool does not know: `codex-rotate keys list` shows those it knows",
    Refusal.KEY_REMOVED: "it still shows the key of {name}, which was removed",
    Refusal.KEY_EXPIRED: "its key, {name}, has expired: `codex-rotate keys rotate {name}` makes a new one",
    Refusal.PERSON_PAUSED: "{name} is paused: `codex-rotate people resume {name}` lets them go on",
    Refusal.OTHER_USER: "it is another user's of this machine: `codex-rotate keys add NAME --host HOST` makes a key "
    "for one of them, `serve --everyone-here` lets all of them in",
    Refusal.USER_UNTOLD: "this system does not say whose it is: `codex-rotate keys add NAME` makes a key",
}
"""What the owner of the proxy reads of a client that was refused; see refusals.py for what its user reads."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Guest:
    """What is known of one connection: whose it is, what it has said, and what came of its last request. `inside`: it
    was let in to the provider's hosts, whether it is welcome or not; `welcome`: it was allowed something, once;
    `virtual`: its login is one of ours, whose key counts before any other."""

    place: Origin
    said: Introduced = field(default_factory=Introduced)
    decided: Visitor | Refused | None = None
    inside: bool = False
    welcome: bool = False
    virtual: bool = False
    told: Refused | None = None
    """The last refusal that the log has."""


class Clients:
    """Admits connections."""

    def __init__(
        self,
        startup: Startup,
        uid_of: Callable[[connection.Address | None, connection.Address | None], int | None] = peer_credentials.uid_of,
    ) -> None:
        self.startup = startup
        self._uid_of = uid_of
        self._own = peer_credentials.own_uid()
        self._guests: MutableMapping[connection.Client, Guest] = weakref.WeakKeyDictionary()
        self._warned: set[Refused] = set()
        self._served: dict[str, str] = {}
        """The names of the keys that have been shown, by their digests: of one that is gone we can say so."""

    def client_connected(self, client: connection.Client) -> None:
        """The only time to ask whose it is: later it may have been closed, or passed on."""
        here = _is_here(client)
        uid = self._uid_of(client.peername, client.sockname) if here and client.transport_protocol == "tcp" else None
        self._guests[client] = Guest(origin(here=here, uid=uid, own=self._own))

    @answers.fail_closed
    def http_connect(self, flow: http.HTTPFlow) -> None:
        said = flow.request.headers.pop(HEADER, "")
        opened = re.match(INTERCEPT, f"{flow.request.host}:{flow.request.port}") is not None
        guest = self._guest(flow.client_conn)
        guest.inside = opened
        try:
            decided = self._judge(flow.client_conn, said, quiet=opened)
        except Exception as e:
            if not opened:
                raise
            guest.decided = None  # each request is refused, with words that the client reads
            if self.startup.service is not None:
                answers.log_defect("a client was not admitted", e)
            return
        if isinstance(decided, Refused) and not opened:
            flow.response = refusals.refused(decided)

    @answers.fail_closed
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.is_replay or flow.response:
            return
        asked = flow.request.host_header == proxy_files.HOST  # who we are; a key is shown only then
        said = flow.request.headers.pop(HEADER, None)
        authorization = flow.request.headers.get("authorization", "")
        if is_virtual(authorization):
            self._shows_login(flow.client_conn, authorization, said)
            said = None
        decided = self._judge(flow.client_conn, said, quiet=asked)
        if isinstance(decided, Refused):
            inside = flow.client_conn.tls_established
            flow.response = refusals.inside(decided, flow.request) if inside else refusals.refused(decided)
            flow.request.stream = True  # nobody needs what may follow, however much it is

    def _shows_login(self, client: connection.Client, authorization: str, said: str | None) -> None:
        """Its login is one of ours. What it asks for beside that, an account of the pool, is what it said before."""
        guest = self._guest(client)
        user = introduced(said).user if said is not None else guest.said.user
        guest.virtual, guest.said = True, Introduced(user or NOBODY, key_in(authorization) or BROKEN)

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Behind the answers above: whatever a client that was refused sends in its connection, it ends here."""
        guest = self._guests.get(data.client)
        if guest is None or isinstance(guest.decided, Visitor):
            return
        failed = guest.inside and self.startup.service is not None  # before that mitmproxy is not set up for us
        if failed or guest.decided is not None:
            data.server.error = "codex-rotate: this client may not use the proxy"

    def account_for(self, client: connection.Client) -> str:
        """The key of the only account that may serve this client; "" for any. Raises for one that was not admitted."""
        decided = self._decided(client)
        if not isinstance(decided, Visitor):
            raise PermissionError("this client was not admitted")
        return key_named(self.startup.opened().pool.candidates, decided.account) if decided.account else ""

    def is_guest(self, client: connection.Client) -> bool:
        """Whether somebody else than the pool's owner asks: from elsewhere, or with a key that somebody was given."""
        guest, decided = self._guests.get(client), self._decided(client)
        if guest is None or not isinstance(decided, Visitor):
            return True
        return decided.key != LOCAL and (guest.place is not Origin.OWNER or bool(decided.key))

    def is_virtual(self, client: connection.Client) -> bool:
        """Whether the client has shown a login of ours: there is nothing of its own behind it."""
        guest = self._guests.get(client)
        return guest is not None and guest.virtual

    def refusal(self, client: connection.Client) -> Refused | None:
        """Why the client may not use the proxy, as of its last request."""
        decided = self._decided(client)
        return decided if isinstance(decided, Refused) else None

    def name_of(self, client: connection.Client) -> str:
        """The name of the key that this client has shown; "" for none."""
        decided = self._decided(client)
        return decided.key if isinstance(decided, Visitor) else ""

    def refusal_now(self, client: connection.Client) -> Refused | None:
        """The same for one that goes on without a new request, as in a WebSocket."""
        decided = self._judge(client)
        return decided if isinstance(decided, Refused) else None

    def takes(self, key: str) -> bool:
        """Whether the owner's own clients on this machine are let in with this key, or without one."""
        service = self.startup.service
        if service is None:
            return False
        service.sync(at_once=True)
        owner = Guest(origin(here=True, uid=self._own, own=self._own), Introduced(NOBODY, key))
        return isinstance(self._admitted(owner), Visitor)

    def unwelcome(self) -> set[str]:
        """The connections of clients that could use the proxy and may not any more, with the pool as it is now."""
        if self.startup.service is None:
            return set()
        self.startup.service.sync(at_once=True)
        known = [(client, guest) for client, guest in self._guests.items() if guest.welcome]
        return {client.id for client, guest in known if isinstance(self._admitted(guest), Refused)}

    def _guest(self, client: connection.Client) -> Guest:
        """Of one that nobody has announced it is not known whose it is."""
        return self._guests.setdefault(client, Guest(Origin.UNTOLD if _is_here(client) else Origin.ELSEWHERE))

    def _decided(self, client: connection.Client) -> Visitor | Refused | None:
        guest = self._guests.get(client)
        return guest.decided if guest is not None else None

    def _judge(self, client: connection.Client, header: str | None = None, *, quiet: bool = False) -> Visitor | Refused:
        """`header`: what the client says of itself now; None leaves it at what it said before. `quiet`: a refusal is
        no news yet."""
        guest = self._guest(client)
        if header is not None:
            guest.said = introduced(header)
        guest.decided = None  # until it is known
        self.startup.opened().sync(at_once=True)  # a key may have been taken back, or quite new, or the first one
        guest.decided = self._admitted(guest)
        if isinstance(guest.decided, Visitor) and guest.decided.key:
            self.startup.opened().clients.key_shown(guest.decided.key, _place_of(client, guest.place))
        guest.welcome = guest.welcome or isinstance(guest.decided, Visitor)
        if isinstance(guest.decided, Refused) and guest.decided != guest.told and not quiet:
            guest.told = guest.decided
            self._tell(guest.decided)
        return guest.decided

    def _tell(self, refused: Refused) -> None:
        """A client tries again and again: its kind is a warning once, and news for those who look closely later."""
        level = logging.INFO if refused in self._warned else logging.WARNING
        self._warned.add(refused)
        logger.log(level, "codex-rotate: a client is refused: %s", REMEDIES[refused.why].format(name=refused.name))

    def _admitted(self, guest: Guest) -> Visitor | Refused:
        service = self.startup.opened()
        keys, gone = service.clients.keys.known, {**self._served, **service.clients.keys.removed}
        closed = service.people.registry.closed(service.clock())
        everyone_here = self.startup.chosen.rotate_everyone_here
        doors = Doors(keys=keys, gone=gone, closed=closed, everyone_here=everyone_here)
        decided = admitted(guest.said, doors, guest.place)
        if isinstance(decided, Visitor) and decided.key:
            shown = (fingerprint(guest.said.user), fingerprint(guest.said.secret))
            self._served |= {digest: decided.key for digest in shown if digest in keys}
        return decided


def _is_here(client: connection.Client) -> bool:
    return is_loopback(_address(client))


def _place_of(client: connection.Client, place: Origin) -> str:
    """Where a connection comes from: its address, one name for all of this machine's."""
    return _address(client) if place is Origin.ELSEWHERE else HERE


def _address(client: connection.Client) -> str:
    """ "" where nobody knows."""
    return str(client.peername[0]).removeprefix("::ffff:") if client.peername else ""
