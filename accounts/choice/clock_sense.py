"""Whether what is remembered can be so at this moment, after somebody has set the clock. Pure.

What was written while the clock was ahead lies in the future once it is back: it is taken as if written now, with its
own length. Nothing lasts longer than it ever may, whoever wrote it.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from accounts.choice.model_lists import MODEL_SECONDS
from accounts.choice.ports import Source
from accounts.choice.quota import MAIN, Window
from accounts.choice.reset_times import FARTHEST, LONGEST
from accounts.model import Account, Affinity, Cooldown, Credentials

SLACK: Final = 60.0
"""Seconds by which two looks at the clock may differ and nobody has set it."""


def is_ahead(at: float, now: float) -> bool:
    """Whether a moment that has been is still to come."""
    return at > now + SLACK


def longest_rest(windows: Iterable[Window]) -> float:
    """How long an account with these windows may rest at most: as its longest one, 8 days where none is known to be
    longer. In seconds."""
    return min(LONGEST, max([FARTHEST, *(each.minutes * 60.0 for each in windows if each.family == MAIN)]))


def sensible_rest(rest: Cooldown, windows: Iterable[Window], now: float) -> Cooldown:
    """The rest, no longer than it may be."""
    longest = longest_rest(windows)
    if is_ahead(rest.since, now):
        rest = replace(rest, until=now + max(0.0, rest.until - rest.since), since=now)
    return replace(rest, until=now + longest) if rest.until > now + longest else rest


def sensible_window(window: Window, now: float) -> Window:
    """The window, seen now at the latest. Upstream's own time for its reset is believed where it can be one."""
    length = window.minutes * 60.0
    if not is_ahead(window.seen_at, now):
        return window
    resets_at = window.resets_at
    if resets_at is not None and not now < resets_at <= now + length:
        resets_at = now + min(length, max(0.0, resets_at - window.seen_at))
    return replace(window, seen_at=now, resets_at=resets_at)


def sensible_affinity(affinity: Affinity, now: float) -> Affinity:
    """The place of a thread, used now at the latest."""
    if not (is_ahead(affinity.used_at, now) or is_ahead(affinity.detoured_at, now)):
        return affinity
    return replace(affinity, used_at=min(affinity.used_at, now), detoured_at=min(affinity.detoured_at, now))


def sensible_login(login: Credentials, now: float) -> Credentials:
    """The tokens, renewed now at the latest, and no longer good than they were then."""
    if not is_ahead(login.refreshed_at, now):
        return login
    lives = (login.expires_at or 0.0) - login.refreshed_at
    return replace(login, refreshed_at=now, expires_at=now + lives if lives > 0 else login.expires_at)


def sensible_refusal(until: float, now: float) -> float:
    """Until when a model counts as refused."""
    return min(until, now + MODEL_SECONDS)


class SensibleSource:
    """What a store knows, as it can be at `now` (seconds since the epoch)."""

    def __init__(self, source: Source, now: float) -> None:
        self._source = source
        self._now = now

    def accounts(self) -> tuple[Account, ...]:
        return self._source.accounts()

    def all_credentials(self) -> dict[str, Credentials]:
        return {key: sensible_login(each, self._now) for key, each in self._source.all_credentials().items()}

    def cooldowns(self) -> dict[str, Cooldown]:
        rests = self._source.cooldowns()
        windows = self._source.windows() if rests else {}
        return {key: sensible_rest(each, windows.get(key, ()), self._now) for key, each in rests.items()}

    def windows(self) -> dict[str, tuple[Window, ...]]:
        found = self._source.windows()
        return {key: tuple(sensible_window(each, self._now) for each in windows) for key, windows in found.items()}

    def refused_models(self) -> dict[tuple[str, str], float]:
        return {each: sensible_refusal(until, self._now) for each, until in self._source.refused_models().items()}

    def affinities(self, limit: int) -> tuple[Affinity, ...]:
        return tuple(sensible_affinity(each, self._now) for each in self._source.affinities(limit))
