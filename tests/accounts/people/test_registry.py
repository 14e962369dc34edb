"""Whose a key is, and which keys open nothing at the moment."""

from accounts.people.keys import ClientKey, Refusal, Refused
from accounts.people.people import Person
from accounts.people.registry import PeopleRegistry
from tests.builders import NOW

ANN, BOB = Person(name="ann"), Person(name="bob", paused=True)


def key(name: str, person: str = "", expires_at: float | None = None) -> ClientKey:
    return ClientKey(name=name, digest=f"digest of {name}", person=person, expires_at=expires_at)


def test_a_key_is_a_persons_or_nobodys() -> None:
    found = PeopleRegistry([ANN], [key("ann-1", "ann"), key("ann-2", "ann"), key("loose"), key("orphan", "gone")])
    assert [found.of_key(name) for name in ("ann-1", "ann-2", "loose", "orphan", "unknown", "")] == [
        ANN,
        ANN,
        *[None] * 4,
    ]


def test_a_key_opens_nothing_from_its_end_on_and_while_its_person_is_paused() -> None:
    found = PeopleRegistry(
        [ANN, BOB], [key("a", "ann", NOW + 10), key("b", "bob"), key("c", "ann", NOW + 20), key("d")]
    )
    paused = {"digest of b": Refused(Refusal.PERSON_PAUSED, "bob")}
    assert found.closed(NOW) == paused
    first = {"digest of a": Refused(Refusal.KEY_EXPIRED, "a")}
    assert found.closed(NOW + 10) == paused | first
    assert found.closed(NOW + 10) is found.closed(NOW + 19.9), "worked out once, until the next one ends"
    assert found.closed(NOW + 20) == paused | first | {"digest of c": Refused(Refusal.KEY_EXPIRED, "c")}
    assert found.closed(NOW + 9) == paused, "the clock went back"


def test_of_somebody_paused_whose_key_has_expired_the_end_is_told() -> None:
    found = PeopleRegistry([BOB], [key("b", "bob", NOW)])
    assert found.closed(NOW) == {"digest of b": Refused(Refusal.KEY_EXPIRED, "b")}
