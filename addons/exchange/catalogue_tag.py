"""Whose lists of models count, and the tag by which answers tell the client which list is the current one."""

from typing import Final

from mitmproxy import http

from accounts.choice.pool import Lease
from accounts.choice.selection import Ask
from accounts.model import Standing
from addons.exchange.service import PoolService

MODELS_ETAG: Final = "x-models-etag"


def listing(service: PoolService, ask: Ask) -> list[str]:
    """Whose lists count: of the one that alone may serve, or of all that are not closed, paused or signed out."""
    pin = ask.pin or service.pool.policy.pin
    if pin:
        return [pin]
    return [
        key
        for key, each in service.pool.candidates.items()
        if each.account.standing is Standing.GOOD and each.account.enabled and each.has_tokens
    ]


def agree(service: PoolService, ask: Ask, lease: Lease, response: http.Response) -> None:
    """An answer of an account names the tag of its own list, and the client fetches the list anew when that is another
    than the one it has: it gets the tag of the list that it would get, or none."""
    named = response.headers.get(MODELS_ETAG)
    if named is None:
        return
    now, keys = service.clock(), listing(service, ask)
    service.pool.models.lists.names_tag(lease.key, named, now)
    if len(keys) <= 1:
        return
    tag = service.pool.models.lists.tag(keys, now)
    if tag:
        response.headers[MODELS_ETAG] = tag
    else:
        del response.headers[MODELS_ETAG]
