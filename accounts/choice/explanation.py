"""A choice with everything it was made from: what `codex-rotate why` tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from accounts.choice.selection import Choice, Excluded, Exhausted, Rank, Seat, Situation, barred, choose, rank, score
from accounts.model import Credentials
from accounts.states import AccountState, tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One account in an explanation: its state, why it is out, or how it compares."""

    seat: Seat
    told: AccountState
    barred: Excluded | None
    rank: Rank | None
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A choice with everything it was made from, the best candidate first."""

    choice: Choice | Exhausted
    candidates: tuple[Candidate, ...]


def explain(
    seats: Mapping[str, Seat], about: Situation, logins: Mapping[str, Credentials] = MappingProxyType({})
) -> Explanation:
    """The same choice, with every candidate. `logins` are the stored ones, by key of the account."""
    candidates = []
    for seat in seats.values():
        bar = barred(seat, about)
        ranked = rank(seat, about) if bar is None else None
        told = tell(seat, about, logins.get(seat.account.key))
        candidates.append(Candidate(seat=seat, told=told, barred=bar, rank=ranked, score=score(seat, about.now)))
    candidates.sort(key=lambda each: (each.rank is None, each.rank or (), each.seat.account.label))
    return Explanation(choice=choose(seats, about), candidates=tuple(candidates))
