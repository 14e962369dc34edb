"""A key that is shown from two places within a short time is remarked, now and then."""

from accounts.people.key_places import KeyPlaces, SharedKey
from tests.builders import NOW

DAY = 86_400


def test_two_places_within_a_short_time_are_remarked_once_a_day() -> None:
    places = KeyPlaces()
    assert places.shown("ann", "a", NOW) is None
    assert places.shown("ann", "b", NOW + 60) == SharedKey("ann", "a", "b")
    assert places.shown("ann", "a", NOW + 70) is None
    assert places.shown("ann", "a", NOW + DAY + 50) is None
    assert places.shown("ann", "b", NOW + DAY + 61) == SharedKey("ann", "a", "b")


def test_who_has_moved_is_not_in_two_places() -> None:
    places = KeyPlaces()
    places.shown("ann", "a", NOW)
    assert places.shown("ann", "b", NOW + 601) is None


def test_each_key_is_looked_at_by_itself() -> None:
    places = KeyPlaces()
    places.shown("ann", "a", NOW)
    assert places.shown("bob", "b", NOW) is None


def test_a_clock_that_is_set_back_remarks_nothing_and_loses_nothing() -> None:
    places = KeyPlaces()
    places.shown("ann", "a", NOW)
    assert places.shown("ann", "b", NOW - 3600) is None
    assert places.shown("ann", "a", NOW - 3590) == SharedKey("ann", "b", "a")


def test_what_the_history_has_of_it_is_read_again() -> None:
    shared = SharedKey("ann-laptop", "10.0.0.5", "fe80::1")
    assert SharedKey.read(shared.detail) == shared
    assert SharedKey.read("ann") is None
    assert SharedKey.read("") is None
