"""What the owner decides about people: who there is, and what each of them may use.

Running proxies follow at their next request. Saying what is so already changes nothing and is no failure.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from accounts.errors import PersonThere, UnknownAccount, UnknownKey, UnknownPerson, UnknownSubset, UsageError
from accounts.model import Account, Event
from accounts.owner.names import find_account
from accounts.people.budgets import NONE, Measure, read_at_once, read_limits, read_share
from accounts.people.keys import LOCAL, NAME, ClientKey
from accounts.people.people import Person
from accounts.people.subset import TAG
from accounts.store.store import Store

ALL: Final = "all"
"""Says that nothing is restricted."""
MOST_GLOBS: Final = 50
LONGEST_GLOB: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonChange:
    """What is to be so from now on, as it is typed; None leaves it as it is."""

    accounts: str | None = None
    models: str | None = None
    priority: int | None = None
    tokens: str | None = None
    turns: str | None = None
    share: str | None = None
    at_once: str | None = None
    soft: bool | None = None

    def applied(self, person: Person, accounts: Sequence[Account]) -> Person:
        """The person with that. Raises UnknownSubset, BadBudget, UsageError."""
        budgets = person.budgets
        tokens, turns = budgets.of(Measure.TOKENS), budgets.of(Measure.TURNS)
        if self.tokens is not None:
            tokens = read_limits(Measure.TOKENS, self.tokens)
        if self.turns is not None:
            turns = read_limits(Measure.TURNS, self.turns)
        budgets = replace(
            budgets,
            limits=tokens + turns,
            share=budgets.share if self.share is None else read_share(self.share),
            at_once=budgets.at_once if self.at_once is None else read_at_once(self.at_once),
            soft=budgets.soft if self.soft is None else self.soft,
        )
        return replace(
            person,
            accounts=person.accounts if self.accounts is None else read_subset(self.accounts, accounts),
            models=person.models if self.models is None else read_models(self.models),
            priority=person.priority if self.priority is None else self.priority,
            budgets=budgets,
        )


# --- names -----------------------------------------------------------------------------------------------------------


def find_person(people: Iterable[Person], wanted: str) -> Person:
    """The person of this name; case does not matter. Raises UnknownPerson with the names that are near."""
    known = {each.name.casefold(): each for each in people}
    found = known.get(wanted.strip().casefold())
    if found is None:
        raise UnknownPerson(wanted, [known[each].name for each in _near(wanted, known)])
    return found


def find_key(keys: Iterable[ClientKey], wanted: str) -> ClientKey:
    """The key of this name. Raises UnknownKey with the names that are near."""
    known = {each.name: each for each in keys if each.name != LOCAL}
    if wanted not in known:
        raise UnknownKey(wanted, _near(wanted, known))
    return known[wanted]


def checked_name(name: str, what: str) -> str:
    """A name that `what` (`A key`, `A person`) can have. Raises UsageError."""
    if not NAME.fullmatch(name) or name == LOCAL:
        why = "is kept for codex-rotate itself" if name == LOCAL else "has other characters in it, or too many"
        raise UsageError(f"{what} cannot be called {name!r}: that name {why}. Choose another one.")
    return name


def _near(wanted: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(wanted.strip().casefold(), list(known), n=3, cutoff=0.6)


def read_subset(text: str, accounts: Sequence[Account]) -> tuple[str, ...]:
    """Accounts and tags with commas between them, as Person.accounts has them; `all` is no restriction. What could be
    both is the account. Raises UnknownSubset, and AmbiguousAccount."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise UsageError("No account and no tag is named. Say some of both, with commas between them, or all.")
    if [word.casefold() for word in words] == [ALL]:
        return ()
    return tuple(dict.fromkeys(_subset_of(word, accounts) for word in words))


def _subset_of(word: str, accounts: Sequence[Account]) -> str:
    name, tags = word.casefold(), {tag.casefold() for each in accounts for tag in each.tags}
    exact = [each.key for each in accounts if each.label.casefold() == name]
    if exact:
        return exact[0]
    if name.removeprefix(TAG) in tags:
        return f"{TAG}{name.removeprefix(TAG)}"
    try:
        return find_account(accounts, word).key
    except UnknownAccount:
        raise UnknownSubset(word, _near(word, [*(each.label for each in accounts), *sorted(tags)])) from None


def subset_names(subset: Iterable[str], accounts: Iterable[Account]) -> list[str]:
    """A subset as it is typed: labels, and tags with their sign; an account that is gone by its key."""
    labels = {each.key: each.label for each in accounts}
    return [labels.get(each, each) for each in subset]


def read_models(text: str) -> tuple[str, ...]:
    """Globs with commas between them; `all` is no restriction. Raises UsageError."""
    globs = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if [each.casefold() for each in globs] in ([ALL], [NONE], ["*"]):
        return ()
    wrong = [each for each in globs if len(each) > LONGEST_GLOB or not each.isprintable() or " " in each]
    if not globs or wrong or len(globs) > MOST_GLOBS:
        raise UsageError(
            f"{text[:LONGEST_GLOB]!r} does not name models: say some, with commas between them, such as gpt-5*, or all."
        )
    return globs


# --- changes ---------------------------------------------------------------------------------------------------------


def add(store: Store, name: str, change: PersonChange, keys: Sequence[str], now: float) -> Person:
    """Somebody new, who has these keys that are there from now on. Raises PersonThere, UnknownKey and what
    PersonChange.applied does; nothing has changed then."""
    known = store.people.client_keys()
    theirs = tuple(find_key(known, each).name for each in keys)
    person = change.applied(Person(name=checked_name(name, "A person"), added_at=now), store.accounts())
    if not store.people.put(person, only_new=True).result():
        raise PersonThere(name)
    if theirs:
        store.people.give_keys(theirs, person.name).result()
    store.record(Event(at=now, kind="person_added", detail=person.name))
    return person


def change(store: Store, wanted: str, changes: PersonChange, keys: Sequence[str], now: float) -> tuple[Person, bool]:
    """Somebody with these changes, who has these keys from now on as well, and whether anything is new. Raises as
    add."""
    before = find_person(store.people.all(), wanted)
    known = store.people.client_keys()
    new = [each for each in (find_key(known, name) for name in keys) if each.person != before.name]
    after = changes.applied(before, store.accounts())
    if new:
        store.people.give_keys(tuple(each.name for each in new), before.name).result()
    if after != before:
        store.people.put(after).result()
    if new or after != before:
        store.record(Event(at=now, kind="person_changed", detail=before.name))
    return after, bool(new) or after != before


def set_paused(store: Store, wanted: Sequence[str], *, paused: bool, now: float) -> tuple[list[str], list[str]]:
    """Let people use nothing, or go on. The names of those that this changed, and of those where it was so already. All
    are found, or none is changed."""
    people = store.people.all()
    found = {each.name: each for each in (find_person(people, name) for name in wanted)}
    changed = [each for each in found.values() if each.paused is not paused]
    for each in changed:
        store.people.put(replace(each, paused=paused)).result()
        told = f"{each.name} {'paused' if paused else 'resumed'}"
        store.record(Event(at=now, kind="person_changed", detail=told))
    return [each.name for each in changed], [name for name, each in found.items() if each.paused is paused]


def remove(store: Store, wanted: str, now: float) -> tuple[Person, tuple[str, ...]]:
    """Forget somebody and take their keys back; the names of those."""
    person = find_person(store.people.all(), wanted)
    keys = store.people.remove(person.name).result()
    store.record(Event(at=now, kind="person_removed", detail=person.name))
    return person, keys


def free_key_name(person: str, label: str, taken: Iterable[str]) -> str:
    """A name for a further key of somebody: theirs, with the label, or a number. Raises UsageError where it would be
    too long."""
    known = set(taken)
    plain = "-".join(filter(None, (person, *label.split())))
    names = [plain] if label else []
    names += [person] if not label else []
    names += [f"{plain}-{number}" for number in range(2, len(known) + 3)]
    return checked_name(next(each for each in names if each not in known), "A key")


def budget_words(person: Person) -> list[str]:
    """A person's budgets in few words each."""
    budgets = person.budgets
    told = [f"{str(each)} {each.measure}" for each in budgets.limits]  # noqa: RUF010 - its own words
    told += [f"{budgets.share}% of the pool"] if budgets.share else []
    told += [f"{budgets.at_once} at once"] if budgets.at_once else []
    return [*told, "soft"] if told and budgets.soft else told
