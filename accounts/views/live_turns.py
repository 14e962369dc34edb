"""Turns that are under way now, as the page, the terminal screen and programs see them. Pure."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTurn:
    """One turn. `id` names it as long as its proxy runs; `began` is in seconds since the epoch; "" stands for what is
    not known yet, or there is none of.

    `person` is who asks: a person, or the name of a client key that is nobody's. `account` is the label of the account
    that was asked last. `transport` is "http" or "websocket". `attempts` counts the accounts that were asked, also the
    same one twice, and `rotations` how often another one than before was taken, both in this turn. `received` is how
    many bytes of answers its client has got; `first_output` after how many seconds the first of them came (None: none
    has).
    """

    id: str
    began: float
    person: str = ""
    project: str = ""
    thread: str = ""
    model: str = ""
    account: str = ""
    transport: str = ""
    attempts: int = 0
    rotations: int = 0
    received: int = 0
    first_output: float | None = None

    def age(self, now: float) -> float:
        """Seconds since it began; none if the clock was set back meanwhile."""
        return max(0.0, now - self.began)


_NUMBERS: Final = frozenset({"began", "first_output"})
_COUNTS: Final = frozenset({"attempts", "rotations", "received"})


def live_turn_data(turn: LiveTurn) -> dict[str, Any]:
    """For programs."""
    return asdict(turn)


def as_json(turns: Iterable[LiveTurn]) -> str:
    """A list of them."""
    return json.dumps([live_turn_data(each) for each in turns])


def from_json(text: str | bytes) -> tuple[LiveTurn, ...] | None:
    """What `as_json` has written, perhaps in another version; None for anything else."""
    try:
        told = json.loads(text)
        return tuple(_read(each) for each in told) if isinstance(told, list) else None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _read(told: dict[str, Any]) -> LiveTurn:
    """Raises TypeError for what is none."""
    known = {each.name: told[each.name] for each in fields(LiveTurn) if each.name in told}
    if not all(_fits(name, value) for name, value in known.items()):
        raise TypeError("not a live turn")
    return LiveTurn(**known)


def _fits(name: str, value: object) -> bool:
    if name == "first_output" and value is None:
        return True
    if name in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if name in _COUNTS:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)
