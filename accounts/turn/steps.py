"""What a turn's driver is told to do next: a closed set of values."""

from dataclasses import dataclass
from enum import StrEnum

from accounts.choice.pool import Lease
from accounts.choice.selection import Exhausted
from accounts.people.rules import Denial


class Reason(StrEnum):
    """Why the proxy answers itself."""

    NOBODY_LEFT = "nobody_left"
    """No account can serve: all are at a limit, rest, need their owner, or a rule of the pool keeps them."""
    OTHERS_LEFT = "others_left"
    """As many accounts were asked as one request may ask; asking again helps."""
    SIGNED_OUT = "signed_out"
    """Several accounts were signed out one after another: going on would cost the others their logins."""
    UNREACHABLE = "unreachable"
    """No account got an answer that the client may have."""
    BUSY = "busy"
    """Every account was asked too often just now, and waiting for one was in vain."""
    RULED_OUT = "ruled_out"
    """The pool's owner has ruled that the person who asks may not have this turn, at the moment or at all."""
    USE_HTTP = "use_http"
    """WebSockets do not serve this thread at the moment."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Ask this account. Of a turn whose answer has died: for what is missing of it."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Renew:
    """Renew the account's token, then say Renewed or NotRenewed. `ahead`: it was not refused, it is only due."""

    lease: Lease
    ahead: bool


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds, then say Waited. `lease`: of the account that was asked, None before any was."""

    lease: Lease | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Let the attempt go on: nobody else could do better."""


@dataclass(frozen=True, slots=True)
class StripAndRetry:
    """Find out what can be left out of the request that this account cannot read, then say Stripped or
    NothingStripped."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class HandOver:
    """Have the client ask anew by itself, on a new connection, which begins on the account that is best for it then.
    If it has got a part of an answer, that ends here."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give the client what upstream has said, and all that follows. `nobody`: why no other account was asked."""

    nobody: Exhausted | None = None


@dataclass(frozen=True, slots=True)
class Complete:
    """End the answer that the client is getting as if it were whole."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the client ourselves. `nobody`: why no account can serve. `detail` is for people, without secrets.
    `seconds`: after that it is worth asking again, as far as it is known. `denial`: the rule that is to blame."""

    reason: Reason
    nobody: Exhausted | None = None
    detail: str = ""
    seconds: float = 0.0
    denial: Denial | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing more is to be done for this turn."""


Step = Attempt | Renew | Pause | Wait | StripAndRetry | HandOver | Deliver | Complete | Refuse | Finish
