"""How the pool is doing, from its file alone."""

from accounts.model import Cooldown, Event
from accounts.states import State
from accounts.store.store import Store
from accounts.views.snapshot import take_snapshot
from config.settings import Settings
from tests.builders import NOW, key_of


def test_states_the_next_reset_and_the_last_events(store: Store) -> None:
    rest = Cooldown(until=NOW + 60, reason="usage_limit", since=NOW)
    store.set_cooldown(key_of("ann"), rest)
    store.record(Event(at=NOW, kind="imported", key=key_of("ann"))).result()
    seen = take_snapshot(store, Settings(), NOW)
    assert {seen.labels[key]: told.state for key, told in seen.told.items()} == {
        "ann": State.RESTING,
        "bob": State.READY,
    }
    assert seen.next_reset == (NOW + 60, key_of("ann"))
    assert ([each.kind for each in seen.events], seen.decisions, seen.pin) == (["imported"], (), "")


def test_whom_the_settings_pin(store: Store) -> None:
    seen = take_snapshot(store, Settings(strategy="pinned", pinned_account="bob"), NOW)
    assert (seen.pin, seen.chosen) == (key_of("bob"), "")
    assert seen.told[key_of("ann")].state is State.PASSED_OVER
