"""The lists of models of several accounts as one: what any of them lists, in a steady order, under a tag of its own.

An account's list is believed for a day and asked for again after an hour, or when the account names another tag for it
than before; like lists are kept once. Pure.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MODEL_SECONDS: Final = 86_400.0
"""So long is believed which models an account lists, or may not use: plans change."""
FRESH_SECONDS: Final = 3_600.0
AGAIN_SECONDS: Final = 300.0
"""So soon an account that gave no list is not asked again."""
MOST_LISTS: Final = 32
"""Different lists; accounts of one plan have the same."""

MOST_UNIONS: Final = 8

type Model = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models of one list in its order, by their names."""

    digest: str
    models: Mapping[str, Model] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Union:
    """What several accounts list. The tag changes only with the models."""

    etag: str
    models: tuple[Model, ...] = field(repr=False)


class ModelLists:
    """By the keys of accounts."""

    def __init__(self) -> None:
        self._lists: OrderedDict[str, ModelList] = OrderedDict()
        self._of: dict[str, tuple[str, float]] = {}
        self._asked: dict[str, float] = {}
        self._tags: dict[str, str] = {}
        self._outdated: set[str] = set()
        self._unions: OrderedDict[frozenset[str], Union] = OrderedDict()

    def learned(self, key: str, models: Iterable[object], now: float) -> bool:
        """What an account lists. One without models, or with such as have no name, says nothing; whether it does."""
        named = {each["slug"]: each for each in models if isinstance(each, dict) and isinstance(each.get("slug"), str)}
        if not named:
            return False
        digest = hashlib.sha256(json.dumps(list(named.values()), sort_keys=True).encode()).hexdigest()
        self._lists.setdefault(digest, ModelList(digest, named))
        self._lists.move_to_end(digest)
        self._of[key] = digest, now
        self._outdated.discard(key)
        while len(self._lists) > MOST_LISTS:
            gone, _ = self._lists.popitem(last=False)
            self._of = {known: each for known, each in self._of.items() if each[0] != gone}
        return True

    def without(self, model: str, now: float) -> dict[str, frozenset[str]]:
        """Of the accounts that do not list this model, what each lists."""
        lacking = {each.digest: frozenset(each.models) for each in self._lists.values() if model not in each.models}
        if not lacking:
            return {}
        return {
            key: lacking[digest]
            for key, (digest, at) in self._of.items()
            if digest in lacking and at > now - MODEL_SECONDS
        }

    def has(self, key: str, model: str, now: float) -> bool:
        """Whether this account is known to list the model."""
        digest, at = self._of.get(key, ("", -MODEL_SECONDS))
        return at > now - MODEL_SECONDS and digest in self._lists and model in self._lists[digest].models

    @property
    def is_empty(self) -> bool:
        return not self._of

    def sensible(self, now: float) -> None:
        """The clock was set: nothing is of a time to come."""
        self._of = {key: (digest, min(at, now)) for key, (digest, at) in self._of.items()}
        self._asked = {key: min(at, now) for key, at in self._asked.items()}

    def names_tag(self, key: str, tag: str, now: float) -> None:
        """An answer of an account names the tag of its list. Another one than before: the list is another, too."""
        before, self._tags[key] = self._tags.get(key, tag), tag
        touched = max(self._of.get(key, ("", now))[1], self._asked.get(key, -AGAIN_SECONDS))
        if before != tag and now - touched >= AGAIN_SECONDS:
            self._outdated.add(key)

    def to_ask(self, keys: Iterable[str], now: float, most: int) -> list[str]:
        """Of these accounts, those whose list is not known, outdated or older than an hour, but for such as were asked
        just now, and so many of them at most. They count as asked from now on."""
        found = [
            key
            for key in keys
            if (key in self._outdated or now - self._of.get(key, ("", -FRESH_SECONDS))[1] >= FRESH_SECONDS)
            and now - self._asked.get(key, -AGAIN_SECONDS) >= AGAIN_SECONDS
        ][:most]
        self._asked = {key: at for key, at in self._asked.items() if now - at < AGAIN_SECONDS}
        self._asked |= dict.fromkeys(found, now)
        self._outdated.difference_update(found)
        return found

    def tag(self, keys: Collection[str], now: float) -> str:
        """Of the list that these accounts have together, "" when nothing is known. It is one that no list has while one
        of theirs is outdated: whoever compares it has to ask."""
        union = self.union(keys, now)
        if union is None:
            return ""
        return f'W/"outdated-{union.etag[3:]}' if not self._outdated.isdisjoint(keys) else union.etag

    def union(self, keys: Collection[str], now: float) -> Union | None:
        """What these accounts list, as far as that is known; None when nothing is."""
        known = (self._of[key] for key in keys if key in self._of)
        digests = frozenset(digest for digest, at in known if at > now - MODEL_SECONDS)
        if not digests:
            return None
        if digests not in self._unions:
            self._unions[digests] = _union([self._lists[each] for each in digests])
            while len(self._unions) > MOST_UNIONS:
                self._unions.popitem(last=False)
        return self._unions[digests]


def _union(lists: list[ModelList]) -> Union:
    merged = _merged(sorted(lists, key=lambda one: (-len(one.models), one.digest)))
    told = json.dumps(merged, sort_keys=True).encode()
    return Union(f'W/"{hashlib.sha256(told).hexdigest()[:32]}"', tuple(merged))


def _merged(lists: list[ModelList]) -> list[Model]:
    """Each model once, after the one that it comes after in the first list that has it. Where lists differ about a
    model, one that shows it goes before one that hides it."""
    order = list(lists[0].models)
    for each in lists[1:]:
        before = -1
        for name in each.models:
            if name not in order:
                order.insert(before + 1, name)
            before = order.index(name)
    return [_shown([each.models[name] for each in lists if name in each.models]) for name in order]


def _shown(versions: list[Model]) -> Model:
    return next((each for each in versions if each.get("visibility") == "list"), versions[0])
