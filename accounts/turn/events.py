"""What can happen to a turn, as its driver tells it. Values only."""

from dataclasses import dataclass, field

from accounts.choice.outcomes import Outcome
from accounts.choice.pool import Lease
from accounts.continuing.carry import Carry
from accounts.model import Credentials


@dataclass(frozen=True, slots=True)
class Begin:
    """The client has asked. `lease` is of the account that its WebSocket belongs to; None: any account may be asked."""

    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class BeginTooLarge(Begin):
    """The client has asked for more in one message than its WebSocket takes."""


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """On its WebSocket the client has asked for more within the same turn."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt has come to nothing, and the client has seen none of it. `words`: upstream has said something that
    could be passed on."""

    outcome: Outcome
    words: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing has come for as long as an account gets to begin its answer. `outcome` is what that comes to if another
    account takes over."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Answered:
    """The attempt's answer has begun, and goes to the client from now on."""


@dataclass(frozen=True, slots=True)
class Died:
    """An answer that the client is getting has failed in the middle. `outcome` is what upstream has said; `carry` is
    what can be done about it."""

    outcome: Outcome
    carry: Carry = Carry.CLIENT
    events: int = 0
    """How many of its events the client has got."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What the client was given has come to its end."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Renewed:
    """There is a newer token of the account, already stored."""

    credentials: Credentials = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotRenewed:
    """There is none to be had."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Waited:
    """The pause is over."""


@dataclass(frozen=True, slots=True)
class Stripped:
    """Something that the account could not read is left out of the request from now on."""


@dataclass(frozen=True, slots=True)
class NothingStripped:
    """There is nothing to leave out."""


@dataclass(frozen=True, slots=True)
class Left:
    """The turn ends here, whatever was under way: the client is gone, or its connection is."""

    outcome: Outcome


Verdict = Failed | Silent | Died | Ended | NotRenewed | Left
"""What an attempt has come to."""
Event = (
    Begin
    | BeginTooLarge
    | AskedAgain
    | Failed
    | Silent
    | Answered
    | Died
    | Ended
    | Renewed
    | NotRenewed
    | Waited
    | Stripped
    | NothingStripped
    | Left
)
