"""What the accounts have done in the last hours: when each served, every rotation with its reason, what else happened.

Pure. All of it is from the bounded history; what a rotation has cost in tokens only the ledger knows.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from accounts.choice.decision_record import DECISION, AttemptRow, Done
from accounts.choice.outcomes import Kind
from accounts.history import Decision, decisions, from_where
from accounts.ledger.records import TurnRecord
from accounts.model import Event
from accounts.turn.moves import CONTINUES

HOURS: Final = 6.0
"""How much is shown unless somebody asks for more or less."""
GAP_SECONDS: Final = 30.0
"""An account that serves again so soon has served all the time."""
_ANSWERED: Final = frozenset({Kind.OK, Kind.UPGRADED})
_CUT: Final = frozenset({Done.COMPLETED, Done.BROKEN_OFF, Done.STALLED, Done.CLIENT_LEFT, Done.SOCKET_CLOSED})
"""Ends of turns whose client was being served by the account that was asked last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSpan:
    """An account has served from `began` to `ended` (epoch seconds), in so many turns."""

    began: float
    ended: float
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A turn, or the next turn of a thread, went from one account to another, at a moment in epoch seconds.

    `kind` is the outcome of the account that was left and `said` what upstream said of it; both are "" where it was
    left between two turns without having failed. `why` is what decided for the other one. `asked` is everybody who was
    asked in this turn, in their order, and `done` what became of it. `seconds` is how long it took until the failure
    was known; `cold` how many input tokens were not cached for the change, None where the ledger does not know.
    """

    at: float
    left: str
    taken: str
    thread: str = ""
    person: str = ""
    model: str = ""
    kind: str = ""
    said: str = ""
    why: str = ""
    asked: tuple[AttemptRow, ...] = ()
    done: str = ""
    seconds: float = 0.0
    cold: int | None = None

    @property
    def reason(self) -> str:
        """In a few words."""
        return self.kind.replace("_", " ") if self.kind else self.why


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something else that happened to an account: a kind of event of the history, with its detail."""

    at: float
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTimeline:
    """One account, by its label. `rotations` are those that have left it; all are in the order of time."""

    account: str
    spans: tuple[ServingSpan, ...] = ()
    rotations: tuple[Rotation, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """From `since` to `until` (epoch seconds). `rotations` are those of all accounts, in the order of time."""

    since: float
    until: float
    accounts: tuple[AccountTimeline, ...]
    rotations: tuple[Rotation, ...]


def timeline(
    events: Iterable[Event],
    since: float,
    until: float,
    labels: Mapping[str, str],
    turns: Iterable[TurnRecord] = (),
) -> Timeline:
    """`events` is the history, the newest first, as the store gives it; `labels` has the accounts of the pool by key,
    in the order in which they are shown. Others that have served come behind them: removed ones, and earlier labels.
    `turns` are the ledger's, of the same time."""
    known = list(events)
    told = [each for each in reversed(decisions(known)) if each.at <= until]
    colds = {(each.thread, each.when): each.cold for each in turns}
    changes = [each for each in _rotations(told, colds) if since <= each.at <= until]
    served: dict[str, list[ServingSpan]] = {label: [] for label in labels.values()}
    for decision in told:
        for part in _parts(decision):
            if part.serves and part.ended > since:
                span = ServingSpan(began=max(since, part.began), ended=part.ended, turns=1)
                served.setdefault(part.row.account, []).append(span)
    left: dict[str, list[Rotation]] = {}
    for each in changes:
        left.setdefault(each.left, []).append(each)
        served.setdefault(each.left, [])
        served.setdefault(each.taken, [])
    marks: dict[str, list[Mark]] = {}
    for event in reversed(known):
        if event.kind != DECISION and since <= event.at <= until and event.key in labels:
            mark = Mark(at=event.at, kind=event.kind, detail=event.detail)
            marks.setdefault(labels[event.key], []).append(mark)
    lanes = (
        AccountTimeline(
            account=label,
            spans=tuple(_joined(spans)),
            rotations=tuple(left.get(label, ())),
            marks=tuple(marks.get(label, ())),
        )
        for label, spans in served.items()
    )
    return Timeline(since=since, until=until, accounts=tuple(lanes), rotations=tuple(changes))


class _Part(NamedTuple):
    """An attempt of a turn, and when it was: the history has how long each took, not when it began."""

    row: AttemptRow
    began: float
    ended: float
    serves: bool


def _parts(decision: Decision) -> Iterator[_Part]:
    record, at = decision.record, decision.at - max(0.0, decision.record.seconds)
    for place, row in enumerate(record.attempts):
        is_last = place == len(record.attempts) - 1
        if is_last:
            began = max(at, decision.at - max(0.0, row.seconds))
            yield _Part(row, began, decision.at, row.kind in _ANSWERED or record.done in _CUT)
        else:
            ended = min(decision.at, at + max(0.0, row.seconds))
            goes_on = record.attempts[place + 1].why.startswith(CONTINUES)
            yield _Part(row, at, ended, row.kind in _ANSWERED or goes_on)
            at = ended


def _rotations(told: Iterable[Decision], colds: Mapping[tuple[str, float], int]) -> Iterator[Rotation]:
    """Of these, the oldest first. What a change has cost in tokens is said of the last one of a turn."""
    for decision, earlier in from_where(told):
        before, found = earlier, list[Rotation]()
        for part in _parts(decision):
            if before is not None and before.account != part.row.account:
                found.append(_rotation(decision, before, part))
            before = part.row
        cold = colds.get((decision.thread, decision.at))
        for number, each in enumerate(found, 1):
            yield each if cold is None else replace(each, cold=cold if number == len(found) else 0)


def _rotation(decision: Decision, left: AttemptRow, part: _Part) -> Rotation:
    record, failed = decision.record, left.kind not in _ANSWERED and left.kind != Kind.CLIENT_GONE
    return Rotation(
        at=part.began,
        left=left.account,
        taken=part.row.account,
        thread=decision.thread,
        person=record.person or record.client_key,
        model=record.model,
        kind=left.kind if failed else "",
        said=left.detail if failed else "",
        why=part.row.why,
        asked=record.attempts,
        done=record.done,
        seconds=max(0.0, left.seconds) if failed else 0.0,
    )


def _joined(spans: Iterable[ServingSpan]) -> Iterator[ServingSpan]:
    """Those that overlap, or nearly do, as one."""
    current: ServingSpan | None = None
    for each in sorted(spans, key=lambda span: span.began):
        if current is not None and each.began <= current.ended + GAP_SECONDS:
            ended, turns = max(current.ended, each.ended), current.turns + each.turns
            current = ServingSpan(began=current.began, ended=ended, turns=turns)
            continue
        if current is not None:
            yield current
        current = each
    if current is not None:
        yield current
