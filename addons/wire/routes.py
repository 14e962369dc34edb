"""Which requests may carry a managed credential: a short list, matched exactly. Everything else is the client's own.

The host is the one the proxy *connects* to. What a `Host` header or an `:authority` says never widens anything; when it
differs from the connected host the request is the client's own.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from accounts.origin import PROVIDER_HOST
from config.provider import PROVIDER

INTERCEPT: Final = rf"^(?!ab\.){PROVIDER.hosts.pattern}:443$"
"""What mitmproxy's `allow_hosts` opens; all else is tunnelled unread. `ab.` takes metrics that need no proxy's eye."""

LOGIN: Final = re.compile(r"Bearer (?!sk-)\S")
"""A client that is logged in with an account. One without a credential gets none from us: it could be any program that
inherited the proxy's address. One with an API key is served by its key."""


class Route(StrEnum):
    GENERATION = "generation"
    CATALOGUE = "catalogue"
    OWN = "own"

    @property
    def pooled(self) -> bool:
        return self is not Route.OWN


@dataclass(frozen=True, slots=True)
class RouteRow:
    route: Route
    method: str
    path: re.Pattern[str]


def _row(route: Route, method: str, path: str) -> RouteRow:
    return RouteRow(route, method, re.compile(PROVIDER.codex_path + path))


ROUTES: Final = (
    _row(Route.GENERATION, "POST", r"/responses"),
    _row(Route.GENERATION, "GET", r"/responses"),  # the WebSocket's upgrade
    _row(Route.GENERATION, "POST", r"/responses/compact"),
    _row(Route.GENERATION, "POST", r"/alpha/search"),
    _row(Route.GENERATION, "POST", r"/images/[a-z]+"),
    _row(Route.GENERATION, "POST", r"/memories/[a-z_]+"),
    _row(Route.CATALOGUE, "GET", r"/models"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes and what it asks.

    `connected` is the address the proxy connects to, `claimed` what the request says its host is, `sni` what the
    client's TLS handshake said (None: nothing), `tls` whether the client's side of the connection is encrypted.
    """

    scheme: str
    connected: tuple[str, int]
    claimed: str
    sni: str | None
    tls: bool
    method: str
    path: str
    authorization: str = field(repr=False)
    upgrade: bool


def route_of(target: Target) -> Route:
    """The route of a request. The raw path must match a row as it stands: nothing is decoded or tidied up."""
    host, port = target.connected
    # Names are compared as written: a host in capitals is not one the official client sends.
    trusted = (
        target.scheme == "https"
        and target.tls
        and port == 443
        and PROVIDER_HOST.fullmatch(host) is not None
        and target.claimed in (host, f"{host}:443")
        and target.sni in (None, host)
        and LOGIN.match(target.authorization) is not None
    )
    if not trusted:
        return Route.OWN
    path = target.path.partition("?")[0]
    for row in ROUTES:
        if row.method == target.method and row.path.fullmatch(path):
            # A plain GET of the responses path is not the client's; only its WebSocket upgrade is.
            if row.route is Route.GENERATION and target.method == "GET" and not target.upgrade:
                return Route.OWN
            return row.route
    return Route.OWN
