"""The request as it goes on the wire: a copy with the right credentials, and nothing else changed. Pure.

Credentials are `authorization` and `chatgpt-account-id`, and what belongs to the account behind them: its origin, its
routing headers, and the turn state it issued (docs/codex-wire.md sections 1.1 and 2).
"""

from collections import OrderedDict
from typing import Final

from mitmproxy import http

from accounts.origin import host_of
from accounts.pool import Lease
from addons import redact

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


def own(request: http.Request, shown: redact.Shown) -> http.Request:
    """The client's own request, with the client's own secrets."""
    return _copy(request, shown.reveal(request.headers))


def managed(request: http.Request, shown: redact.Shown, lease: Lease, states: TurnStates) -> http.Request:
    """The client's request with an account's credentials, bound for that account's own origin over TLS."""
    headers = shown.reveal(request.headers)
    host = host_of(lease.account)
    headers["authorization"] = f"Bearer {lease.credentials.access}"
    headers["chatgpt-account-id"] = lease.account.account_id
    _set(headers, "x-openai-fedramp", "true" if lease.account.fedramp else None)
    _set(headers, "x-openai-account-routing-override", lease.account.routing_override)
    state = headers.get(TURN_STATE)
    if state is not None and not states.belongs(state, lease.key):
        del headers[TURN_STATE]
    if "host" in headers:
        headers["host"] = host
    wire = _copy(request, headers)
    wire.data.host, wire.data.port, wire.data.scheme = host, 443, b"https"
    if wire.data.authority:
        wire.data.authority = host.encode()
    return wire


def _set(headers: http.Headers, name: str, value: str | None) -> None:
    if value is not None:
        headers[name] = value
    else:
        headers.pop(name, None)


def _copy(request: http.Request, headers: http.Headers) -> http.Request:
    """`Request.copy()` goes through the whole state; this shares the body, which nobody changes, and costs a sixth."""
    data = request.data
    return http.Request(
        data.host,
        data.port,
        data.method,
        data.scheme,
        data.authority,
        data.path,
        data.http_version,
        headers,
        data.content,
        data.trailers,
        data.timestamp_start,
        data.timestamp_end,
    )
