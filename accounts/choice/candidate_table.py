"""The candidates of a pool: all accounts with their rests and windows, in step with what is on its way to the disk."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from accounts.choice import quota
from accounts.choice.clock_sense import sensible_rest, sensible_window
from accounts.choice.load import Load
from accounts.choice.model_support import ModelSupport
from accounts.choice.ordering import Ordering
from accounts.choice.ports import Source, Write
from accounts.choice.quota import Window
from accounts.choice.selection import Candidate, Rank, Situation


class CandidateTable:
    """By the keys of accounts."""

    def __init__(self) -> None:
        self._candidates: dict[str, Candidate] = {}
        self._ordering = Ordering()
        self._writes: dict[str, list[Write]] = {}
        self._stored_windows: dict[str, tuple[Window, ...]] = {}

    @property
    def candidates(self) -> Mapping[str, Candidate]:
        return self._candidates

    def load(self, source: Source, unsettled: Collection[str], with_tokens: Collection[str]) -> None:
        """Take over what the store knows. Of the accounts in `unsettled` a rest and a standing are on their way to it:
        those that are known here are the truer ones."""
        cooldowns = source.cooldowns()
        self._stored_windows = source.windows()
        candidates = {}
        for account in source.accounts():
            key, known = account.key, self._candidates.get(account.key)
            candidate = known or Candidate(account=account)
            windows = quota.merged(self._stored_windows.get(key, ()), candidate.windows)
            rest = cooldowns.get(key)
            if known is not None and key in unsettled:
                standing, reason = known.account.standing, known.account.standing_reason
                account = replace(account, standing=standing, standing_reason=reason)  # noqa: PLW2901 - truer than the disk's
                rest = known.cooldown
            has_tokens = key in with_tokens
            candidates[key] = replace(candidate, account=account, cooldown=rest, has_tokens=has_tokens, windows=windows)
        self._candidates = candidates
        self._ordering.forget()

    def sensible(self, now: float) -> None:
        """The clock was set: no rest and no window is of a time to come."""
        for key, each in self._candidates.items():
            windows = tuple(sensible_window(window, now) for window in each.windows)
            rest = sensible_rest(each.cooldown, windows, now) if each.cooldown is not None else None
            self._candidates[key] = replace(each, windows=windows, cooldown=rest)
        self._ordering.forget()

    def unsettled(self) -> set[str]:
        """The accounts of which something is on its way to the disk. To be asked before reading it: what is on its way
        now may or may not be in what is read."""
        found = {key for key, writes in self._writes.items() if not all(write.done() for write in writes)}
        self._writes = {key: self._writes[key] for key in found}
        return found

    def put(self, key: str, candidate: Candidate, write: Write | None = None) -> None:
        """What is so from now on. `write` is its way to the disk: loading must not undo it meanwhile."""
        self._candidates[key] = candidate
        self._ordering.change(key)
        if write is not None:
            self._writes[key] = [one for one in self._writes.get(key, ()) if not one.done()] + [write]

    def observe(self, key: str, windows: tuple[Window, ...]) -> tuple[Window, ...] | None:
        """What upstream says of an account's windows. All that is known since, if it is worth writing."""
        merged = quota.merged(self._candidates[key].windows, windows)
        self.put(key, replace(self._candidates[key], windows=merged))
        if not quota.worth_writing(self._stored_windows.get(key, ()), merged):
            return None
        self._stored_windows[key] = merged
        return merged

    def touched(self, load: Load, models: ModelSupport, model: str, now: float) -> dict[str, Candidate]:
        """The candidates of which something is so at the moment only, with that. What an account lists matters where
        `model` is not among it."""
        if load.is_empty and models.is_empty:
            return {}
        followed, refused = load.followed(now), models.refused(now)
        listed = models.lists.without(model, now) if model else {}
        found = (load.busy | followed.keys() | refused.keys() | listed.keys()) & self._candidates.keys()
        return {
            key: replace(
                self._candidates[key],
                in_flight=load.in_flight(key),
                followed=followed[key],
                refuses=frozenset(refused.get(key, ())),
                lists=listed.get(key),
            )
            for key in found
        }

    def front(self, about: Situation, touched: Iterable[str]) -> tuple[Collection[str], Mapping[str, Rank]]:
        """Among whom the best are for a request (Ordering.front)."""
        return self._ordering.front(self._candidates, about, touched)
