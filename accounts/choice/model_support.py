"""Which models an account may not use, or does not list. Believed for a day, since plans change."""

from collections.abc import Iterable, Mapping

from accounts.choice.model_lists import MODEL_SECONDS, ModelLists


class ModelSupport:
    """By the keys of accounts."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str], float] = {}
        self.lists = ModelLists()

    def load(self, refused: Mapping[tuple[str, str], float]) -> None:
        """What the store knows of refusals: until when each is believed, by account and model."""
        for refusal, until in refused.items():
            self._refused[refusal] = max(until, self._refused.get(refusal, 0.0))

    def sensible(self, now: float) -> None:
        """The clock was set: nothing is believed for longer than a day."""
        last = now + MODEL_SECONDS
        self._refused = {each: min(until, last) for each, until in self._refused.items()}
        self.lists.sensible(now)

    def refuse(self, key: str, model: str, now: float) -> float:
        """The account was refused a model. Until when that is believed."""
        until = now + MODEL_SECONDS
        self._refused = {known: end for known, end in self._refused.items() if end > now} | {(key, model): until}
        return until

    def refused(self, now: float) -> dict[str, set[str]]:
        """The models that each account was refused."""
        found: dict[str, set[str]] = {}
        for (key, model), until in self._refused.items():
            if until > now:
                found.setdefault(key, set()).add(model)
        return found

    def is_better(self, key: str, than: Iterable[str], model: str, now: float) -> bool:
        """Whether there is reason to believe that this account may use a model that those were refused: only it lists
        the model."""
        return self.lists.has(key, model, now) and not any(self.lists.has(each, model, now) for each in than)

    @property
    def is_empty(self) -> bool:
        return not self._refused and self.lists.is_empty
