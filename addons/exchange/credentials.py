"""The request as it goes on the wire: a copy with the right credentials, and nothing else changed. Pure.

Credentials are `authorization` and `chatgpt-account-id`, and what belongs to the account behind them: its origin, its
routing headers, the turn state it issued, and the edge's cookies (docs/codex-wire.md sections 1.1 and 2).
"""

import functools
import logging
from collections import OrderedDict
from typing import Final, NamedTuple

from mitmproxy import http

from accounts.choice.pool import Lease
from accounts.origin import host_of
from accounts.requests.foreign_reasoning import Unsealing
from addons.exchange.account_cookies import AccountCookies
from addons.redaction import flows
from addons.wire import messages
from addons.wire.routes import Target, route_of

logger = logging.getLogger(__name__)

TURN_STATE: Final = "x-codex-turn-state"
MOST_TURN_STATES: Final = 4_096


class TurnStates:
    """Which account issued which turn state; bounded. One of another account, or of nobody we know, is dropped."""

    def __init__(self) -> None:
        self._issuers: OrderedDict[int, str] = OrderedDict()

    def issued(self, value: str | None, key: str) -> None:
        if value:
            self._issuers[hash(value)] = key
            while len(self._issuers) > MOST_TURN_STATES:
                self._issuers.popitem(last=False)

    def belongs(self, value: str, key: str) -> bool:
        return self._issuers.get(hash(value)) == key


class Belongings(NamedTuple):
    """What upstream has given to each account, and what of it another one cannot read."""

    states: TurnStates
    cookies: AccountCookies
    unsealing: Unsealing


class OffItsRoute(Exception):
    """A request is none that may carry a managed credential, by now: somebody has changed it since it was routed."""


_LOGGED_IN: Final = "Bearer of-the-client"
"""The flow shows a mark by now; that the client is logged in was judged before."""


def _check_route(request: http.Request) -> None:
    """Asks the routing table once more, right before the credential is put in. Raises OffItsRoute."""
    target = Target(
        scheme=request.scheme,
        connected=(request.host, request.port),
        claimed=request.host_header or request.host,
        sni=None,
        tls=True,
        method=request.data.method.decode("utf-8", "replace"),
        path=request.path,
        authorization=_LOGGED_IN,
        upgrade=messages.is_upgrade(request),
    )
    host = request.host
    if request.authority not in ("", host, f"{host}:443") or not route_of(target).pooled:
        logger.error(
            "codex-rotate: a request was not sent: another addon, or an option such as map_remote, has changed its "
            "host, path or method to what may not carry an account's token"
        )
        raise OffItsRoute


def managed(request: http.Request, shown: flows.FlowRedactor, lease: Lease, given: Belongings) -> http.Request:
    """The client's request with an account's credentials, bound for that account's own origin over TLS. Raises
    OffItsRoute."""
    _check_route(request)
    host = host_of(lease.account).encode()
    wire = shown.wire(request)
    wire.headers = _swapped(wire.headers, lease, given, host)
    wire.data.host, wire.data.port, wire.data.scheme = host.decode(), 443, b"https"
    if wire.data.authority:  # over HTTP/1.1 a path alone is asked for, as the official client does
        wire.data.authority = host if wire.is_http2 else b""
    return wire


def _swapped(headers: http.Headers, lease: Lease, given: Belongings, host: bytes) -> http.Headers:
    """In one pass: what belongs to an account is set or left out, everything else stays as it is and where it is."""
    account = lease.account
    override = account.routing_override
    belonging: dict[bytes, bytes | None] = {
        b"authorization": _bearer(lease.credentials.access),
        b"chatgpt-account-id": account.account_id.encode(),
        b"x-openai-fedramp": b"true" if account.fedramp else None,
        b"x-openai-account-routing-override": override.encode() if override is not None else None,
    }
    own = given.cookies.of(lease)
    unsent = list(own.values())
    fields = []
    for field in headers.fields:
        name, value = field
        lower = name.lower()
        if lower in _BELONGING:
            mine = belonging.pop(lower, None)
            if mine is not None:
                fields.append((name, mine))
        elif lower == b"host":
            fields.append((name, host))
        elif lower == b"cookie":
            left = given.cookies.left_of(value, lease, own)
            if unsent:
                left, unsent = b"; ".join(filter(None, [left, *unsent])), []
            if left or not value:
                fields.append((name, left))
        elif lower != TURN_STATE.encode() or given.states.belongs(value.decode("utf-8", "replace"), lease.key):
            fields.append(field)
    fields += [(name, value) for name, value in belonging.items() if value is not None]
    if unsent:
        fields.append((b"cookie", b"; ".join(unsent)))
    return http.Headers(fields)


@functools.lru_cache(maxsize=256)
def _bearer(token: str) -> bytes:
    """The same object for every stream of an account: it is a kilobyte."""
    return b"Bearer " + token.encode()


_BELONGING: Final = frozenset(
    {b"authorization", b"chatgpt-account-id", b"x-openai-fedramp", b"x-openai-account-routing-override"}
)
