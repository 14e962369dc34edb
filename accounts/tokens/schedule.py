"""Which token to renew before anybody needs it, and when to try again what failed. Pure: values and the time in."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from accounts.choice.selection import Candidate
from accounts.model import Credentials, Standing
from accounts.tokens.lifetime import STAGGER, is_due, is_over, stagger

FIRST_RETRY: Final = 30.0
LAST_RETRY: Final = 1800.0
SOON: Final = 5.0
"""A request that finds the token over does not wait for the whole of a pause: the endpoint may be back."""
FIRST_ASIDE: Final = 1800.0
LAST_ASIDE: Final = 86_400.0
"""How long an account rests whose renewed token is refused at once: another renewal would bring the same."""


def next_due(
    candidates: Iterable[Candidate], tokens: Mapping[str, Credentials], not_before: Mapping[str, float], now: float
) -> str | None:
    """The account whose token ends first of those that are due, None when nobody is."""
    due = [
        (held.expires_at or 0.0, key)
        for key, held in _in_service(candidates, tokens)
        if is_due(key, held, now) and not_before.get(key, 0.0) <= now
    ]
    return min(due)[1] if due else None


def at_their_end(candidates: Iterable[Candidate], tokens: Mapping[str, Credentials], now: float) -> list[str]:
    """The accounts that need a login from now on: their token is over, and nothing can renew it."""
    return [
        key for key, held in _in_service(candidates, tokens) if not held.renewable and is_over(held.expires_at, now)
    ]


def _in_service(
    candidates: Iterable[Candidate], tokens: Mapping[str, Credentials]
) -> Iterator[tuple[str, Credentials]]:
    for candidate in candidates:
        held = tokens.get(candidate.account.key)
        if held is not None and candidate.account.enabled and candidate.account.standing is Standing.GOOD:
            yield candidate.account.key, held


def next_look(renewed: Credentials, now: float) -> float:
    """When a token that was just renewed may be due again: one whose end our clock does not understand is not renewed
    in a loop."""
    lifetime = (renewed.expires_at or now) - now
    return now + (lifetime / 2 if lifetime > 0 else 60.0)


def retry_after(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row (1 or more). `chance` is from 0 to 1."""
    steps = min(max(failures, 1) - 1, 16)
    return min(LAST_RETRY, FIRST_RETRY * 2.0**steps) * (0.5 + chance / 2)


def aside_for(times: int) -> float:
    """Seconds that an account is set aside after its renewed token was refused so many times in a row (1 or more)."""
    return min(LAST_ASIDE, FIRST_ASIDE * 2.0 ** min(max(times, 1) - 1, 16))


@dataclass(slots=True)
class Retries:
    """When the renewal of each account may be tried again after it failed, by account key."""

    not_before: dict[str, float] = field(default_factory=dict)
    _failures: dict[str, tuple[int, float]] = field(default_factory=dict)
    """How many in a row, and when the last one was."""

    def failed(self, key: str, now: float) -> None:
        """It failed, and may be tried later. Each account waits by a measure of its own."""
        count = self._failures.get(key, (0, 0.0))[0] + 1
        self._failures[key] = (count, now)
        self.not_before[key] = now + retry_after(count, stagger(key) / STAGGER)

    def worked(self, key: str, renewed: Credentials, now: float) -> None:
        self._failures.pop(key, None)
        self.not_before[key] = next_look(renewed, now)

    def must_wait(self, key: str, now: float, *, needed: bool) -> bool:
        """Whether a request's renewal is not worth trying yet. `needed`: without it the account cannot serve."""
        if key not in self._failures:
            return False
        until = self.not_before[key]
        return now < (min(until, self._failures[key][1] + SOON) if needed else until)
