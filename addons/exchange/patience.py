"""How long an attempt is waited for. Nothing that is alive is cut before its client would do so itself.

The client's own times: docs/codex-wire.md section 3. All numbers are seconds.
"""

from dataclasses import dataclass
from typing import Final

from accounts.choice.outcomes import Kind, Outcome
from accounts.requests.response_chain import MOST_BYTES
from accounts.turn.state import CLIENT_SECONDS
from addons.exchange.reading.answer_reading import AnswerReading

UPGRADE_SECONDS: Final = 14.0
"""After so long an upgrade that nobody has accepted is taken in hand: the client waits 15 s, and then complains."""
HELD_SECONDS: Final = 240.0
"""So long an answer without output is held back: the client has to hear of it before its patience is over."""
REFUSAL_SECONDS: Final = 15.0
"""What a refusal gets to say why."""
STALL_SECONDS: Final = CLIENT_SECONDS + 10
"""An answer that has been silent for so long has no client any more that would wait for it."""
CARRY_SECONDS: Final = CLIENT_SECONDS - 30
"""After so long a silence an answer that another account can go on with is taken for dead: its client must still be
there when the next one begins."""
GIVEN_UP_SECONDS: Final = CLIENT_SECONDS - 5
"""A client that leaves after so long a silence has lost its patience."""
SLACK: Final = 1.0
"""Timers are rough: this close to the time it is over."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an account gets to begin its answer, and may be silent within it while another one could go on, in
    seconds; how many bytes of it are kept for its flow, and of the conversation of a WebSocket for another account."""

    head_seconds: float = CLIENT_SECONDS
    stall_seconds: float = CARRY_SECONDS
    capture_bytes: int = 0
    chain_bytes: int = MOST_BYTES


USUAL: Final = Limits()


@dataclass(frozen=True, slots=True)
class Patience:
    """Of one request, which came at `began`."""

    limits: Limits
    upgrade: bool
    began: float

    def to_begin(self, reading: AnswerReading) -> float:
        """What the attempt gets, from its beginning, until something of it is decided."""
        if self.upgrade:
            return min(self.limits.head_seconds, UPGRADE_SECONDS - (reading.began_at - self.began))
        if reading.is_refusal:
            return min(self.limits.head_seconds, REFUSAL_SECONDS)
        return min(self.limits.head_seconds, HELD_SECONDS) if reading.is_stream else self.limits.head_seconds

    def left(self, reading: AnswerReading, now: float, *, unhelped: bool = False) -> float:
        """Seconds until it is to be looked at again. `unhelped`: nobody could go on with it when it was silent for too
        long, and nothing has come since."""
        if reading.delivered:
            return max(SLACK, (STALL_SECONDS if unhelped else self.limits.stall_seconds) - reading.silent)
        passed, until = now - reading.began_at, self.to_begin(reading)
        if passed < HELD_SECONDS - SLACK:
            until = min(until, HELD_SECONDS)  # by then it may have begun
        return max(SLACK, until - passed)

    def has_stalled(self, reading: AnswerReading) -> bool:
        """Whether a delivered answer has been silent for so long that another account should go on with it."""
        return reading.delivered and reading.silent >= self.limits.stall_seconds - SLACK

    def is_over(self, reading: AnswerReading, now: float) -> bool:
        if reading.delivered:
            return reading.silent >= STALL_SECONDS - SLACK
        return now - reading.began_at >= self.to_begin(reading) - SLACK


def left_after(silent: float) -> Outcome:
    """What it comes to when the client leaves, so many seconds after anything was said to it."""
    if silent < GIVEN_UP_SECONDS:
        return Outcome(kind=Kind.CLIENT_GONE)
    return Outcome(kind=Kind.HEAD_TIMEOUT, detail=f"the client left after a silence of {silent:.0f} s")
