"""Makes the ledger's record of a turn that is over: of its decision record, its log, and what its client says of it."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from mitmproxy import http

from accounts.choice.decision_record import Done, Record
from accounts.choice.outcomes import Kind
from accounts.ledger.families import AccountsOfThreads, ThreadFamilies
from accounts.ledger.projects import project_of
from accounts.ledger.records import MOVED, TokenCount, Transport, TurnKind, TurnOutcome, TurnRecord
from accounts.requests import identity
from accounts.turn.steps import Reason
from addons.inspection.answer import Tokens, tokens_of
from addons.recording.annotations import FINE
from addons.recording.ended_turn import EndedTurn
from addons.recording.turn_line import Told, has_failed, purpose_of, tokens_in
from addons.wire import messages

OUTCOMES: Final[Mapping[str, TurnOutcome]] = {
    Done.DELIVERED: TurnOutcome.SERVED,
    Done.CONTINUED: TurnOutcome.CONTINUED,
    Done.COMPLETED: TurnOutcome.CUT_SHORT,
    Done.PASSED_ON: TurnOutcome.FAILED,
    Done.BROKEN_OFF: TurnOutcome.FAILED,
    Done.STALLED: TurnOutcome.FAILED,
    Done.CLIENT_LEFT: TurnOutcome.LEFT,
    Done.SOCKET_CLOSED: TurnOutcome.FAILED,
    Done.OURS: TurnOutcome.REFUSED,
    Done.RECONNECTS: TurnOutcome.RECONNECTED,
}
"""What became of a turn, for its client. One that upstream's refusal was delivered to has failed."""
_ANSWERED: Final = frozenset({TurnOutcome.SERVED, TurnOutcome.CONTINUED, TurnOutcome.CUT_SHORT})
_KINDS: Final[Mapping[str, TurnKind]] = {str(each): each for each in TurnKind}
_WORDS: Final = frozenset(map(str, Kind))
OTHER: Final = "other"
_MODEL: Final = re.compile(r'"model"\s*:\s*"([^"\\]{1,100})"')
_TIER: Final = re.compile(rb'"service_tier"\s*:\s*"(\w{1,40})"')


class Asking(NamedTuple):
    """Who asks, as the decision record has it, or the name of the client key, and what a request's head says of it."""

    person: str
    key: str
    rule: str
    metadata: str
    parent: str
    upgrade: bool

    @classmethod
    def of(cls, request: http.Request, record: Record, key: str) -> "Asking":
        metadata, parent = (_said(request, name) for name in (identity.TURN_METADATA, identity.PARENT_THREAD))
        return cls(
            record.person, record.client_key or key, record.rule, metadata, parent[:200], messages.is_upgrade(request)
        )


def _said(request: http.Request, name: str) -> str:
    """A field of a request's head, as text that can be written down."""
    said = request.headers.get(name) or ""
    return said if said.isascii() else said.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class TurnRecords:
    """Remembers which threads belong together, and where each was served last."""

    def __init__(self) -> None:
        self._families = ThreadFamilies()
        self._accounts = AccountsOfThreads()

    def of(self, told: Told, ended: EndedTurn, asking: Asking, tokens: TokenCount) -> TurnRecord | None:
        """`told` has all attempts, those of earlier sockets too. None for what is no turn: an upgrade that the client
        takes for a hint to go on over HTTP or on another socket."""
        log, delivered = ended.log, ended.delivered
        refused = log.refused if log is not None else ""
        if asking.upgrade and not ended.asked and told.done == Done.OURS and refused in {"", Reason.USE_HTTP}:
            return None
        metadata = (identity.metadata_in(ended.asked) if ended.asked else "") or asking.metadata
        parent = (identity.parent_in(ended.asked) if ended.asked else "") or asking.parent
        outcome = _outcome(told)
        accounts = [account for account, _, _ in told.asked]
        before, last = self._accounts.before(told.thread), accounts[-1] if accounts else ""
        lease = log.leases[-1] if log is not None and log.leases else None
        if outcome in _ANSWERED:
            self._accounts.served(told.thread, last)
        moved = bool(before) and before != last and outcome in _ANSWERED
        reasons = _reasons(before, told)
        first = log.answered_at if log is not None else None
        return TurnRecord(
            when=ended.decided.event.at,
            person=asking.person,
            client_key=asking.key,
            account=last,
            account_key=lease.key if lease is not None and lease.account.label == last else "",
            project=project_of(metadata),
            thread=told.thread,
            parent=parent,
            root=self._families.root(told.thread, parent),
            model=told.model or model_in(delivered.head if delivered is not None else ""),
            tier=delivered.said.tier if delivered is not None and delivered.said.tier else _tier_in(ended.asked),
            transport=Transport.WEBSOCKET if asking.upgrade else Transport.HTTP,
            kind=_kind(told.purpose or (purpose_of("", metadata) if asking.upgrade else "")),
            outcome=outcome,
            rule=(asking.rule or refused) if outcome is TurnOutcome.REFUSED else "",
            attempts=len(accounts),
            rotations=len(reasons),
            reasons=reasons,
            first_output=max(0.0, first - told.began) if first is not None else None,
            duration=max(0.0, told.seconds),
            tokens=tokens,
            cold=max(0, tokens.input - tokens.cached) if moved else 0,
        )


def spent(ended: EndedTurn) -> tuple[Tokens | None, TokenCount]:
    """What all parts of an answer have taken: as it is told, None if nothing is known, and as it is counted."""
    usages = ended.delivered.said.usages if ended.delivered is not None else []
    parts = [each for each in map(tokens_of, usages) if each is not None]
    if not parts and (alone := tokens_in(ended.event)) is not None:
        parts = [alone]
    begun = ended.log.answers if ended.log is not None else 0
    counted = TokenCount(  # what was not said is none
        input=sum(each.given or 0 for each in parts),
        cached=sum(each.cached or 0 for each in parts),
        output=sum(each.made or 0 for each in parts),
        reasoning=sum(each.reasoning or 0 for each in parts),
        floor=len(parts) < begun,
    )
    return (parts[-1] if parts else None), counted


def _reasons(before: str, told: Told) -> tuple[str, ...]:
    """Why each other account than before was taken, `before` being that of the thread's last turn ("": none)."""
    if len(told.asked) == 1 and before in {"", told.asked[0][0]}:
        return ()
    went = [*([(before, MOVED)] if before else []), *((account, _reason(kind)) for account, _, kind in told.asked)]
    return tuple(why for (one, why), (other, _) in pairwise(went) if one != other)


def _reason(kind: str) -> str:
    """Nothing but words that there are: metrics have a series for each."""
    return MOVED if kind in FINE else kind if kind in _WORDS else OTHER


def _outcome(told: Told) -> TurnOutcome:
    outcome = OUTCOMES.get(told.done, TurnOutcome.FAILED)
    last = told.asked[-1] if told.asked else None
    if outcome in {TurnOutcome.SERVED, TurnOutcome.CONTINUED} and last is not None and has_failed(last):
        return TurnOutcome.FAILED
    if told.done == Done.SOCKET_CLOSED and (last is None or last[2] == Kind.CLIENT_GONE):
        return TurnOutcome.LEFT
    return outcome


def _kind(purpose: str) -> TurnKind:
    return _KINDS.get(purpose, TurnKind.TURN)


def model_in(head: str) -> str:
    found = _MODEL.search(head)
    return found[1] if found else ""


def _tier_in(message: bytes) -> str:
    found = _TIER.search(message) if b'"service_tier"' in message else None
    return found[1].decode() if found else ""
