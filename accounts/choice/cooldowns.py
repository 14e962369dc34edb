"""How firmly an account rests, and which of two rests counts. Pure; the pool and the store follow the same rule."""

from typing import Final

from accounts.choice.outcomes import RULES, Kind, Rest
from accounts.model import Cooldown

_FIRMNESS: Final = {Rest.NONE: 0, Rest.SOFT: 1, Rest.HARD: 2}


def resting(cooldown: Cooldown | None, now: float) -> Rest:
    """Whether an account rests at `now`, and how firmly. A reason this version does not know rests firmly."""
    if cooldown is None or cooldown.until <= now:
        return Rest.NONE
    try:
        return RULES[Kind(cooldown.reason)].rest
    except ValueError:
        return Rest.HARD


def replaces(new: Cooldown, old: Cooldown | None, now: float) -> bool:
    """Whether a new rest takes the place of the old one: the firmer counts, and of two alike the longer."""
    before, after = _FIRMNESS[resting(old, now)], _FIRMNESS[resting(new, now)]
    if before != after:
        return after > before
    return old is None or new.until > old.until
