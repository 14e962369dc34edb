"""One turn, as the ledger keeps it: who asked, who served, how it ended, what it took. Never a prompt, never an output.

Pure values. A turn is a request of the client to the model; on a WebSocket each request in it is one. A turn that the
client was told to take to another socket is one turn still.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class Transport(StrEnum):
    """What a turn came on."""

    HTTP = "http"
    WEBSOCKET = "websocket"


class TurnKind(StrEnum):
    """What a turn was for."""

    TURN = "turn"
    WARM_UP = "warm-up"
    COMPACTION = "compaction"
    SEARCH = "search"
    IMAGES = "images"
    MEMORIES = "memories"


class TurnOutcome(StrEnum):
    """How a turn ended for its client."""

    SERVED = "served"
    CONTINUED = "continued"
    """An account died in the middle of its answer, and another one went on with it to the end."""
    CUT_SHORT = "cut short"
    """An account died after a tool call: the client got an end of ours, runs its tools, and asks anew."""
    FAILED = "failed"
    """Upstream refused, broke off or fell silent, and nobody else could help."""
    REFUSED = "refused"
    """The proxy answered itself: nobody could serve, or a rule forbids it."""
    LEFT = "left"
    """The client left before the end."""
    RECONNECTED = "reconnected"
    """The client was told to come on another connection, and has not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """Tokens as the provider counts them: `cached` is a part of `input`, `reasoning` one of `output`.

    `floor`: at least so many. An answer that died has not said what it took.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    floor: bool = False

    @property
    def total(self) -> int:
        """What budgets count."""
        return self.input + self.output

    def __add__(self, other: "TokenCount") -> "TokenCount":
        return TokenCount(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
            floor=self.floor or other.floor,
        )


NO_TOKENS: Final = TokenCount()
MOVED: Final = "moved"
"""Why another account was taken where nothing had happened to the one before: the pool chose anew."""


class TurnRecord(NamedTuple):
    """One turn that is over. `when` is its end in epoch seconds; "" stands for what nobody knows, or there is none of.

    `person` is who asked, `client_key` the name of the key that was shown. `account` is the label and `account_key` the
    key (Account.key) of the account that served, or was asked last. `parent` is the thread whose sub-agent asks, `root`
    the thread at the top of that chain: the turn's own if there is no parent. `tier` is the service tier asked for.
    `rule` names the rule of the pool that refused the turn. `attempts` counts accounts that were asked, also the same
    one twice, `rotations` how often another account than before was taken, and `reasons` why, each time: what had
    happened to the one before, or MOVED; the ledger does not keep them. `first_output` (None: there was none) and
    `duration` are in seconds since the turn began. `cold` counts the input tokens that were not cached because the
    account was another one than that of the thread's last turn.
    """

    when: float
    person: str = ""
    client_key: str = ""
    account: str = ""
    account_key: str = ""
    project: str = ""
    thread: str = ""
    parent: str = ""
    root: str = ""
    model: str = ""
    tier: str = ""
    transport: Transport = Transport.HTTP
    kind: TurnKind = TurnKind.TURN
    outcome: TurnOutcome = TurnOutcome.SERVED
    rule: str = ""
    attempts: int = 0
    rotations: int = 0
    reasons: tuple[str, ...] = ()
    first_output: float | None = None
    duration: float = 0.0
    tokens: TokenCount = NO_TOKENS
    cold: int = 0
