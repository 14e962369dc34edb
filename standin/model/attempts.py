"""What became of each request to the model: whose it was, what it asked on top of what, and how far its answer came."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from standin.model.chains import START, Chain


class End(StrEnum):
    """How an answer ended."""

    RUNNING = "running"
    WHOLE = "whole"
    REFUSED = "refused"
    """Nothing of an answer was sent but an error."""
    DIED = "died"
    """A fault struck it."""
    LEFT = "left"
    """The client went away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request to the model as it is now. `number` counts all of a stand-in from 1; `delivered` of `events` were
    sent; `why` is the kind of fault, or the code of a refusal."""

    number: int
    account_id: str
    warm_up: bool
    previous: str | None = None
    response_id: str = ""
    asked: Chain = field(repr=False, default=START)
    delivered: int = 0
    events: int = 0
    end: End = End.RUNNING
    why: str = ""
    usage: Mapping[str, Any] | None = None
    """The tokens that its `response.completed` names, once that was sent."""

    @property
    def input(self) -> tuple[dict[str, Any], ...]:
        """The whole input: that of the chain it named, the outputs of that, and its own."""
        return self.asked.whole

    def shown(self) -> dict[str, Any]:
        """For another process, without the input."""
        names = (
            *("number", "account_id", "warm_up", "previous", "response_id"),
            *("delivered", "events", "end", "why"),
        )
        return {name: getattr(self, name) for name in names}
