"""Which account serves a request. Pure: state and time in, one account or the reason for none out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from accounts.model import Account, Cooldown, Standing
from accounts.outcomes import Rest
from accounts.rests import resting


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request wants: its thread (empty: none), and the accounts it has already been to.

    `steady` asks for the same account again and again, whatever is in flight: answers that the client compares.
    """

    thread: str = ""
    steady: bool = False
    tried: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """Nobody can serve. `resets_at` is when the first account can again, None when only a person can help.

    `limited` is True when at least one account rests because upstream said its limit is reached. `reasons` says, per
    account label, why it was passed over.
    """

    resets_at: float | None = None
    limited: bool = False
    plan: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """An account as selection sees it."""

    account: Account
    cooldown: Cooldown | None = None
    has_tokens: bool = True
    in_flight: int = 0


def barred(seat: Seat, ask: Ask, now: float) -> str:
    """Why this account cannot serve this request, in words; empty when it can."""
    if not seat.account.enabled:
        return "paused"
    if seat.account.standing is not Standing.GOOD:
        return seat.account.standing.value.replace("_", " ")
    if resting(seat.cooldown, now) is Rest.HARD:
        assert seat.cooldown is not None
        return f"resting: {seat.cooldown.reason}"
    if not seat.has_tokens:
        return "no tokens stored"
    return "already tried for this request" if seat.account.key in ask.tried else ""


def choose(seats: Mapping[str, Seat], home: str | None, ask: Ask, now: float) -> Account | Exhausted:
    """The thread's home when it can serve, else the best of the others, else why nobody can."""
    usable = [seat for seat in seats.values() if not barred(seat, ask, now)]
    if not usable:
        return _exhausted(seats, ask, now)
    return min(usable, key=_order(home, ask, now)).account


def _order(home: str | None, ask: Ask, now: float) -> Callable[[Seat], tuple[object, ...]]:
    def order(seat: Seat) -> tuple[object, ...]:
        return (
            resting(seat.cooldown, now) is Rest.SOFT,
            seat.account.key != home,
            -seat.account.priority,
            0 if ask.steady else seat.in_flight,
            seat.account.added_at,
            seat.account.key,
        )

    return order


def _exhausted(seats: Mapping[str, Seat], ask: Ask, now: float) -> Exhausted:
    """The soonest return of an account that only rests; what the pool answers is built from this."""
    waiting = [
        seat
        for seat in seats.values()
        if seat.account.enabled
        and seat.account.standing is Standing.GOOD
        and resting(seat.cooldown, now) is Rest.HARD
        and seat.cooldown is not None
    ]
    first = min(waiting, key=lambda seat: seat.cooldown.until if seat.cooldown else 0.0, default=None)
    return Exhausted(
        resets_at=first.cooldown.until if first and first.cooldown else None,
        limited=bool(waiting),
        plan=first.account.plan if first else "",
        reasons={seat.account.label: barred(seat, ask, now) for seat in seats.values()},
    )
