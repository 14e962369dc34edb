"""Which words of the provider's mark an account for good: those of the table in outcomes.py. No status alone does."""

from typing import Final

from accounts.choice.outcomes import RULES, SIGNS, Kind, Outcome, Reply
from accounts.tokens.endings import DEAD


def words_for(kind: Kind) -> frozenset[str]:
    """The error codes that mean this kind."""
    return frozenset().union(*(sign.words for sign in SIGNS if sign.kind is kind))


_MARKING: Final = DEAD.union(*(words_for(kind) for kind, rule in RULES.items() if rule.standing is not None))


def word_for(kind: Kind, reply: Reply) -> str:
    """The provider's own word for this kind in what it said, "" when only a status or a page speaks for it."""
    return next(iter(sorted(reply.words() & words_for(kind))), "")


def reason_of(outcome: Outcome) -> str:
    """The word in an outcome that marks its account, "" for none."""
    return next((word for word in outcome.detail.split() if word in _MARKING), "")
