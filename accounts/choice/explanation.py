"""A choice with everything it was made from: what `codex-rotate why` tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from accounts.choice.selection import (
    Candidate,
    Choice,
    Excluded,
    Exhausted,
    Rank,
    Situation,
    barred,
    choose,
    rank,
    score,
)
from accounts.model import Credentials
from accounts.states import AccountState, tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What is thought of one candidate: its state, why it is out, or how it compares."""

    candidate: Candidate
    told: AccountState
    barred: Excluded | None
    rank: Rank | None
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A choice with everything it was made from, the best candidate first."""

    choice: Choice | Exhausted
    assessments: tuple[Assessment, ...]


def explain(
    candidates: Mapping[str, Candidate], about: Situation, logins: Mapping[str, Credentials] = MappingProxyType({})
) -> Explanation:
    """The same choice, with every candidate assessed. `logins` are the stored ones, by key of the account."""
    assessments = []
    for candidate in candidates.values():
        bar = barred(candidate, about)
        ranked = rank(candidate, about) if bar is None else None
        told = tell(candidate, about, logins.get(candidate.account.key))
        assessments.append(
            Assessment(candidate=candidate, told=told, barred=bar, rank=ranked, score=score(candidate, about.now))
        )
    assessments.sort(key=lambda each: (each.rank is None, each.rank or (), each.candidate.account.label))
    return Explanation(choice=choose(candidates, about), assessments=tuple(assessments))
