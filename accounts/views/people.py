"""People and their keys, as commands show them and as programs see them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from accounts.model import Account, Event
from accounts.owner.people import subset_names
from accounts.people.budgets import Limit, Measure
from accounts.people.key_places import KEY_SHARED, SharedKey
from accounts.people.keys import LOCAL, ClientKey
from accounts.people.people import Person
from accounts.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """A person, their keys, oldest first, and the accounts that they may use, as they are typed (none: all)."""

    person: Person
    keys: tuple[ClientKey, ...]
    accounts: tuple[str, ...]


def stored_people(store: Store) -> list[PersonView]:
    """Everybody, by name."""
    keys: dict[str, list[ClientKey]] = {}
    for each in store.people.client_keys():
        keys.setdefault(each.person, []).append(each)
    accounts = store.accounts()
    return [_view(each, keys.get(each.name, ()), accounts) for each in store.people.all()]


def _view(person: Person, keys: Iterable[ClientKey], accounts: Sequence[Account]) -> PersonView:
    names = tuple(subset_names(person.accounts, accounts)) if person.accounts else ()
    return PersonView(person=person, keys=tuple(keys), accounts=names)


def stored_keys(store: Store) -> list[ClientKey]:
    """The keys that somebody was given, oldest first."""
    return [each for each in store.people.client_keys() if each.name != LOCAL]


def shared_keys(keys: Iterable[ClientKey], events: Iterable[Event]) -> dict[str, tuple[float, SharedKey]]:
    """Of these keys, by name: when it was last seen that one is used in two places, and where. `events` are the
    history's, the newest first; what was before a key was made is an earlier one's."""
    made = {each.name: each.created_at for each in keys}
    found: dict[str, tuple[float, SharedKey]] = {}
    for each in events:
        said = SharedKey.read(each.detail) if each.kind == KEY_SHARED else None
        if said is not None and each.at >= made.get(said.key, float("inf")):
            found.setdefault(said.key, (each.at, said))
    return found


def person_data(view: PersonView, now: float) -> dict[str, object]:
    """For programs. Times are seconds since the epoch; no accounts, models or budgets means as much as there is."""
    person, budgets = view.person, view.person.budgets
    return {
        "name": person.name,
        "paused": person.paused,
        "accounts": list(view.accounts),
        "models": list(person.models),
        "priority": person.priority,
        "tokens": [_limit_data(each) for each in budgets.of(Measure.TOKENS)],
        "turns": [_limit_data(each) for each in budgets.of(Measure.TURNS)],
        "share_percent": budgets.share or None,
        "at_once": budgets.at_once or None,
        "soft": budgets.soft,
        "added_at": person.added_at,
        "keys": [key_data(each, now) for each in view.keys],
    }


def _limit_data(limit: Limit) -> dict[str, object]:
    return {"amount": limit.amount, "period": str(limit.period)}


def key_data(key: ClientKey, now: float) -> dict[str, object]:
    """For programs. Times are seconds since the epoch."""
    return {
        "name": key.name,
        "person": key.person or None,
        "label": key.label or None,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "expired": is_expired(key, now),
        "used_at": key.used_at,
    }


def is_expired(key: ClientKey, now: float) -> bool:
    return key.expires_at is not None and key.expires_at <= now
