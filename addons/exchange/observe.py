"""What the pool learns from answers on their way: quota windows, models, and who sealed a conversation's summary.

Everything here is told by upstream in passing; nothing is asked for. Only the few events that carry it are decoded.
"""

from typing import Final

from mitmproxy import http

from accounts.choice import quota
from accounts.choice.pool import Lease
from accounts.requests import encrypted_items
from accounts.requests.foreign_reasoning import ReadingContext
from addons.exchange.service import PoolService
from addons.wire import events, messages

_QUOTA: Final = tuple(ending.encode() for ending in quota.HEADER_ENDINGS)


def from_head(service: PoolService, lease: Lease, response: http.Response) -> None:
    """Quota windows in the headers of any answer, and the edge's cookies (docs/codex-wire.md sections 2.3 and 2.4)."""
    said = any(name.lower().endswith(_QUOTA) for name, _ in response.headers.fields)
    if said:
        service.pool.observed(lease.key, quota.from_headers(messages.fields(response), service.clock()))
    service.given.cookies.served(lease, response, service.clock())


def from_prelude(service: PoolService, lease: Lease, kind: str, event: bytes) -> None:
    """Quota windows in an event (docs/codex-wire.md section 3)."""
    if kind == events.RATE_LIMITS:
        service.pool.observed(lease.key, quota.from_event(events.decoded(event), service.clock()))


def from_output(service: PoolService, lease: Lease, kind: str, event: bytes) -> None:
    """A compaction: only the account that made it can read it. And whatever it is, the history is read here now."""
    if kind != events.ITEM_DONE:
        return
    now = service.clock()
    service.given.unsealing.settled(ReadingContext.of(lease, service.pool, now))
    if encrypted_items.holds_compaction(event):
        service.pool.compacted(lease, now)


def from_catalogue(service: PoolService, lease: Lease, body: bytes) -> bool:
    """The models that an account's catalogue names (docs/codex-wire.md section 1). Whether there are any."""
    models = events.decoded(body).get("models")
    if not isinstance(models, list):
        return False
    return service.pool.models.lists.learned(lease.key, models, service.clock())
