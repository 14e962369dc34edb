"""What the pool's owner has ruled about who asks, as a turn is refused by it. Pure values."""

from dataclasses import dataclass
from enum import StrEnum


class PersonRule(StrEnum):
    """The name of a rule, for the log, the history and the client."""

    MODEL = "model_not_allowed"
    TOKENS = "token_budget"
    TURNS = "turn_budget"
    SHARE = "share_budget"
    AT_ONCE = "at_once"
    FAIR_SHARE = "fair_share"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """Why a person's turn is not served. `sentence` is for whoever asks: it names the person and the rule, and has no
    full stop. `until` is when it is worth asking again (seconds since the epoch), None where that is not known."""

    rule: PersonRule
    sentence: str
    until: float | None = None
