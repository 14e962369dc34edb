"""What has just failed in which thread. Pure.

A client comes back within seconds, on a new connection or with the same request: it is led elsewhere, and a refusal
that two accounts have given alike is believed without a third.
"""

from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from accounts.choice.outcomes import Action, Kind, Outcome

KEPT_SECONDS: Final = 30.0
"""So long a thread keeps away from an account that has just failed it, while others can serve."""
BELIEVED_SECONDS: Final = 10.0
"""So long a refusal that several accounts have given counts for the next try: the official client makes its five within
7 s (docs/codex-wire.md section 3)."""
MOST_THREADS: Final = 1_000
MOST_EACH: Final = 16

_ABOUT_NOBODY: Final = frozenset({Action.DELIVER, Action.UNSEAL, Action.RESEND})
"""What follows from these says nothing about the account."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a thread has met on an account when it asked for this model, in seconds since the epoch."""

    key: str
    outcome: Outcome
    at: float
    model: str = ""

    def is_like(self, outcome: Outcome, model: str) -> bool:
        """Whether it is the same refusal: in kind and words, and of the same model if that is what was refused."""
        same = (self.outcome.kind, self.outcome.detail) == (outcome.kind, outcome.detail)
        return same and (outcome.kind is not Kind.UNSUPPORTED_MODEL or self.model == model)


class RecentFailures:
    """By thread, the newest last; those of requests without a thread are not kept."""

    def __init__(self) -> None:
        self._by_thread: OrderedDict[str, list[Failure]] = OrderedDict()

    def note(self, thread: str, key: str, outcome: Outcome, now: float, *, model: str = "") -> None:
        if not thread:
            return
        failures = [*self._fresh(thread, now), Failure(key, outcome, now, model)]
        self._by_thread[thread] = failures[-MOST_EACH:]
        self._by_thread.move_to_end(thread)
        while len(self._by_thread) > MOST_THREADS:
            self._by_thread.popitem(last=False)

    def of(self, thread: str, now: float) -> frozenset[str]:
        """The accounts that have just failed this thread."""
        if not self._by_thread:
            return frozenset()
        return frozenset(each.key for each in self._fresh(thread, now) if _is_its_own(each.outcome))

    def alike(self, thread: str, key: str, outcome: Outcome, now: float, *, model: str = "") -> frozenset[str]:
        """The other accounts that have lately given this thread the same refusal."""
        return frozenset(
            each.key
            for each in self._fresh(thread, now)
            if each.key != key and now - each.at < BELIEVED_SECONDS and each.is_like(outcome, model)
        )

    def sockets_fail(self, thread: str, now: float) -> bool:
        """Whether the thread had better go on over HTTP: its message was too large for a socket, or sockets of several
        accounts were closed before they said anything."""
        fresh = self._fresh(thread, now) if self._by_thread else []
        closed = {each.key for each in fresh if each.outcome.kind is Kind.SOCKET_CLOSED}
        return len(closed) > 1 or any(each.outcome.kind is Kind.TOO_LARGE for each in fresh)

    def served(self, thread: str, key: str, others: Container[str], now: float) -> tuple[Failure, ...]:
        """The thread was served by this account: nothing of what it met elsewhere matters any more. What `others` have
        refused without a reason was theirs, then."""
        failures = self._by_thread.pop(thread, [])
        return tuple(
            each
            for each in failures
            if each.key != key
            and each.key in others
            and now - each.at < KEPT_SECONDS
            and each.outcome.rule.action is Action.ASK_ANOTHER
        )

    def _fresh(self, thread: str, now: float) -> list[Failure]:
        return [each for each in self._by_thread.get(thread, ()) if 0 <= now - each.at < KEPT_SECONDS]


def _is_its_own(outcome: Outcome) -> bool:
    return outcome.rule.action not in _ABOUT_NOBODY
