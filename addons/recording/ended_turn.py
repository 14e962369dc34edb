"""A turn that is over, as whoever drove it hands it on."""

from collections.abc import Callable
from typing import NamedTuple

from accounts.continuing.delivered import DeliveredAnswer
from accounts.model import Event
from accounts.turn.log import DecisionLog


class EndedTurn(NamedTuple):
    """Its decision record, upstream's last event (or an answer that is one document; empty: there was none), and what
    it was for if it is no turn of the user's; its attempts, what the client has got, and what was asked on a socket."""

    record: Event
    event: bytes = b""
    purpose: str = ""
    log: DecisionLog | None = None
    delivered: DeliveredAnswer | None = None
    asked: bytes = b""


type Noted = Callable[[EndedTurn], object]


def unheard(_: EndedTurn) -> None:
    """For where nobody wants to know."""
