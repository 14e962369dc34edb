"""Who may use the proxy, by the pool's file: keys of clients, the people they belong to, and when and where keys were
shown."""

import logging
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import NamedTuple

from accounts.choice.pool import Pool
from accounts.ledger.queries import LedgerSpending
from accounts.model import Event
from accounts.people import fair_share
from accounts.people.admission import Admission
from accounts.people.key_places import KEY_SHARED, KeyPlaces
from accounts.people.key_use import KeyUse
from accounts.people.keys import LOCAL
from accounts.people.spending import Spending
from accounts.store.store import Store
from addons.exchange.spent_behind import SpentBehind
from config import paths

logger = logging.getLogger(__name__)


class KeyNames(NamedTuple):
    """The names of client keys by their digests, and of those that were taken back."""

    known: Mapping[str, str]
    removed: Mapping[str, str]


class KnownClients:
    """Of one proxy; in step with the store as often as it is loaded."""

    def __init__(self, store: Store, pool: Pool, zone: tzinfo, clock: Callable[[], float]) -> None:
        self.store = store
        self.clock = clock
        self.keys = KeyNames({}, {})
        self._spent = SpentBehind(LedgerSpending(paths.usage_file()))
        self.people = Admission(
            Spending(zone, self._spent), lambda now: fair_share.level(pool.candidates.values(), now)
        )
        self.account_ids = frozenset[bytes]()
        """The ids of accounts and their users, which flows do not show."""
        self._use = KeyUse()
        self._places = KeyPlaces()

    def load(self) -> None:
        """Take over what the store knows now."""
        self.keys = KeyNames(self.store.client_keys(), self.store.removed_keys())
        self.people.load(self.store.people.all(), self.store.people.client_keys())
        self.people.recall(self.clock())

    def key_shown(self, name: str, place: str) -> None:
        """A client has shown the key of this name; `place` is the address that it comes from ("": not known)."""
        key, now = self.people.registry.keys.get(name), self.clock()
        if key is None:
            return
        if used := self._use.shown(key.digest, now):
            self.store.people.used(used)
        if name != LOCAL and place and (shared := self._places.shown(name, place, now)):
            logger.warning("codex-rotate: the key %s is used from %s and from %s", *shared)
            self.store.record(Event(at=now, kind=KEY_SHARED, detail=shared.detail))

    def close(self) -> None:
        """Write what is not written yet; the store is still open."""
        self._spent.close()
        if used := self._use.rest(self.clock()):
            self.store.people.used(used)
