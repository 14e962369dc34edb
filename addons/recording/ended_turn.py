"""A turn that is over, as whoever drove it hands it on."""

from collections.abc import Callable
from typing import NamedTuple

from accounts.choice.decision_record import Decided
from accounts.continuing.delivered import DeliveredAnswer
from accounts.turn.log import DecisionLog


class EndedTurn(NamedTuple):
    """What was decided, upstream's last event (or an answer that is one document; empty: there was none), and what
    it was for if it is no turn of the user's; its attempts, what the client has got, and what was asked on a socket."""

    decided: Decided
    event: bytes = b""
    purpose: str = ""
    log: DecisionLog | None = None
    delivered: DeliveredAnswer | None = None
    asked: bytes = b""


type Noted = Callable[[EndedTurn], object]


def unheard(_: EndedTurn) -> None:
    """For where nobody wants to know."""
