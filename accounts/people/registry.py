"""The people of a pool and whose each client key is, as a proxy looks them up. Pure."""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from accounts.people.keys import ClientKey, Refusal, Refused
from accounts.people.people import Person


class PeopleRegistry:
    """As the store has them."""

    def __init__(self, people: Iterable[Person] = (), keys: Iterable[ClientKey] = ()) -> None:
        self.people: Mapping[str, Person] = {each.name: each for each in people}
        self.keys: Mapping[str, ClientKey] = {each.name: each for each in keys}
        self._closed: Mapping[str, Refused] = MappingProxyType({})
        self._closed_from = math.inf
        self._closed_until = -math.inf

    def of_key(self, name: str) -> Person | None:
        """Whose key it is; None for one that belongs to nobody, as the owner's own."""
        key = self.keys.get(name)
        return self.people.get(key.person) if key is not None else None

    def closed(self, now: float) -> Mapping[str, Refused]:
        """By their digests, the keys that open nothing now although they were not taken back, and why."""
        if not self._closed_from <= now < self._closed_until:
            ends = [key.expires_at for key in self.keys.values() if key.expires_at is not None]
            self._closed_from = max((each for each in ends if each <= now), default=-math.inf)
            self._closed_until = min((each for each in ends if each > now), default=math.inf)
            found = ((key.digest, self._why(key, now)) for key in self.keys.values())
            self._closed = {digest: why for digest, why in found if why is not None}
        return self._closed

    def _why(self, key: ClientKey, now: float) -> Refused | None:
        person = self.people.get(key.person)
        if key.expires_at is not None and key.expires_at <= now:
            return Refused(Refusal.KEY_EXPIRED, key.name)
        return Refused(Refusal.PERSON_PAUSED, person.name) if person is not None and person.paused else None
