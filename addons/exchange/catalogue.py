"""The list of models: what any account of the pool lists, so that a model which only one of them has can be chosen.

The account that serves the request is asked as always. Then those are asked whose list is not known or is old: with the
same request, one after the other, and never for longer than the client may be kept waiting. Where one account alone may
serve, its list passes as it is. docs/codex-wire.md section 1.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from mitmproxy import http

from accounts.choice.pool import Lease
from addons.attempts.protocol import Answer, Loss, Send, Signal, Step
from addons.exchange import credentials, observe
from addons.exchange.catalogue_tag import MODELS_ETAG, listing
from addons.exchange.pooled import PooledRequest
from addons.exchange.reading.passing_answer import MOST_CATALOGUE
from addons.wire import events, messages

WAIT_SECONDS: Final = 2.0
"""So long after the first answer the client has its list at the latest."""
MOST_ASKED: Final = 8
"""Accounts for one request of the client; the others' turn comes when it asks again."""
_NOT_OF_ALL: Final = {
    "content-encoding", "content-length", "transfer-encoding", "connection", "etag", "set-cookie", MODELS_ETAG,
}  # fmt: skip
"""Headers of an account's answer that are not so of the list that is put together; cookies are kept by account."""


@dataclass(slots=True)
class Gathering:
    """What is under way once the first account has said that it sends a list: its own answer, then those of others.

    `answer` and `received` are what comes now, of `asked` (None: of the first account). `until` is when the client gets
    what there is (seconds since the epoch), `besides` what the first answer says beside the models.
    """

    first: http.Response
    answer: http.Response
    received: bytearray = field(default_factory=bytearray)
    asked: Lease | None = None
    others: list[str] = field(default_factory=list)
    until: float = 0.0
    besides: dict[str, Any] = field(default_factory=dict)


class CatalogueRequest(PooledRequest):
    """A request for the list. What the first account answers is held until the others have answered, or time is up."""

    gathering: Gathering | None = None

    def head(self, response: http.Response) -> Step:
        gathering = self.gathering
        if gathering is not None and gathering.asked is not None:
            observe.from_head(self.service, gathering.asked, response)
            gathering.answer = response
            return Signal.WAIT if response.status_code == 200 else self._next_other(gathering)
        step = super().head(response)
        alone = len(listing(self.service, self.turn.ask)) < 2
        if step is not Signal.DELIVER or response.status_code != 200 or alone:
            return step
        self.gathering = Gathering(response, response)
        return Signal.WAIT

    def body(self, data: bytes) -> Step:
        if self.gathering is None:
            return super().body(data)
        self.gathering.received += data
        return Signal.WAIT if len(self.gathering.received) <= MOST_CATALOGUE else self._without(self.gathering)

    def end(self) -> Step:
        gathering = self.gathering
        if gathering is None:
            return super().end()
        body = messages.plain(gathering.answer, bytes(gathering.received))
        known = observe.from_catalogue(self.service, gathering.asked or self._answer.lease, body)
        if gathering.asked is None:
            if not known:
                return self._without(gathering)
            now = self.service.clock()
            gathering.besides = {name: said for name, said in events.decoded(body).items() if name != "models"}
            gathering.others = self.service.pool.models.lists.to_ask(self._whose(), now, MOST_ASKED)
            gathering.until = self.service.steady() + WAIT_SECONDS
        return self._next_other(gathering)

    def lost(self, loss: Loss, message: str) -> Step:
        return super().lost(loss, message) if self.gathering is None else self._without(self.gathering)

    def patience(self) -> float:
        if self.gathering is None or self.gathering.asked is None:
            return super().patience()
        return max(0.01, self.gathering.until - self.service.steady())

    def overdue(self) -> Step:
        if self.gathering is None:
            return super().overdue()
        return self._without(self.gathering) if self.gathering.asked is None else self._together(self.gathering)

    def _without(self, gathering: Gathering) -> Step:
        """The answer that comes is of no use. The first one's is the client's all the same, as it is."""
        if gathering.asked is not None:
            return self._next_other(gathering)
        self.gathering = None
        return Signal.DELIVER

    def _next_other(self, gathering: Gathering) -> Step:
        now = self.service.clock()
        while gathering.others and self.service.steady() < gathering.until:
            lease = self.service.pool.lease_of(gathering.others.pop(0), now)
            if lease is not None and not lease.expired(now):
                gathering.asked, gathering.received = lease, bytearray()
                request = credentials.managed(self.flow.request, self.shown, lease, self.service.given)
                request.headers.pop("if-none-match", None)
                return Send(request, key=lease.key)
        return self._together(gathering)

    def _together(self, gathering: Gathering) -> Step:
        """The list that is put together of all that is known."""
        keys = {self._answer.lease.key, *self._whose()}
        union = self.service.pool.models.lists.union(keys, self.service.clock())
        assert union is not None, "the first account's list is known"
        headers = {name: said for name, said in gathering.first.headers.items() if name.lower() not in _NOT_OF_ALL}
        told = json.dumps(gathering.besides | {"models": union.models}).encode()
        return Answer(http.Response.make(200, told, headers | {"etag": union.etag}))

    def _whose(self) -> list[str]:
        return listing(self.service, self.turn.ask)
