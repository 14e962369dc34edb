"""How many threads live on each account."""

from accounts.model import Affinity
from accounts.store.store import Store
from accounts.views.homes import RECENT_SECONDS, homes
from tests.builders import NOW, key_of


def test_threads_of_a_day_are_counted_where_they_live(store: Store) -> None:
    for thread, name, age in (("1", "ann", 0.0), ("2", "ann", 60.0), ("3", "bob", 60.0), ("4", "bob", RECENT_SECONDS)):
        store.save_affinity(Affinity(thread=thread, key=key_of(name), used_at=NOW - age)).result()
    assert homes(store, NOW) == {key_of("ann"): 2, key_of("bob"): 1}
