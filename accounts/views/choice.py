"""Whom the pool would choose for a conversation now, with everything that decides."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from accounts.choice.explanation import Explanation
from accounts.choice.selection import Ask, Exhausted, Policy
from accounts.choice.threads import MOST_THREADS, Placement
from accounts.errors import NoAccounts
from accounts.history import decisions
from accounts.model import Account, Affinity
from accounts.people.people import Person
from accounts.policy import stored_pool
from accounts.store.store import EVENTS_KEPT, Store

if TYPE_CHECKING:  # pydantic takes a while to load: whoever has settings has it already
    from config.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceView:
    """The choice for a request. `known` is what the pool has of its thread, None for a thread that it does not know,
    and `place` where that thread is. `accounts` are by key, `numbers` their places in the list."""

    ask: Ask
    policy: Policy
    found: Explanation
    place: Placement
    known: Affinity | None
    accounts: Mapping[str, Account]
    numbers: Mapping[str, int]

    @property
    def serves(self) -> bool:
        """Whether anybody could serve it now."""
        return not isinstance(self.found.choice, Exhausted)

    def label(self, key: str) -> str | None:
        """None for an account that is gone."""
        return self.accounts[key].label if key in self.accounts else None


def stored_choice(
    store: Store, settings: "Settings", thread: str, now: float, person: Person | None = None
) -> ChoiceView:
    """The choice for the next request of this thread ("": a new one), for the model that it used last; by this person,
    who may use some accounts only. Raises NoAccounts."""
    pool = stored_pool(store, settings, now)
    if not pool.candidates:
        raise NoAccounts
    earlier = [each for each in decisions(store.events(EVENTS_KEPT)) if thread and each.thread == thread]
    ask = Ask(thread=thread, model=next((each.record.model for each in earlier if each.record.model), ""))
    if person is not None:
        ask = replace(ask, person=person.name, only=frozenset(person.accounts))
    return ChoiceView(
        ask=ask,
        policy=pool.policy,
        found=pool.explain(ask, now),
        place=pool.place(thread, now),
        known=next((each for each in store.affinities(MOST_THREADS) if thread and each.thread == thread), None),
        accounts={key: candidate.account for key, candidate in pool.candidates.items()},
        numbers={account.key: number for number, account in enumerate(store.accounts(), 1)},
    )
