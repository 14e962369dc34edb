"""Who may use the proxy is decided by a key; for which account, by the user name beside it."""

import base64
from pathlib import Path

import pytest

from accounts.model import fingerprint
from accounts.people.keys import (
    LOCAL,
    NAME,
    Doors,
    Introduced,
    Origin,
    Refusal,
    Refused,
    Visitor,
    admitted,
    introduced,
    new_secret,
    origin,
)
from accounts.store.store import Store
from tests.rows import all_rows

SECRET = "the-secret-of-ann"
KEYS = {fingerprint(SECRET): "ann", fingerprint("another"): "bob"}


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@all_rows(
    ("header", "said"),
    [
        (basic(f"work:{SECRET}"), Introduced("work", SECRET)),
        (basic(f"work:{SECRET}").replace("Basic ", "bAsIc   "), Introduced("work", SECRET)),
        (basic("work"), Introduced("work")),
        (basic(":only"), Introduced("", "only")),
        (basic("a:b:c"), Introduced("a", "b:c")),
        (basic("my%20work%3A1:s"), Introduced("my work:1", "s")),
        (basic("büro:s"), Introduced("büro", "s")),
        ("", Introduced()),
        ("Basic", Introduced()),
        ("Basic !!!!", Introduced()),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), Introduced()),
        ("Bearer " + base64.b64encode(b"work:x").decode(), Introduced()),
    ],
)
def test_what_a_header_says(header: str, said: Introduced) -> None:
    """A user and a secret; what is no Basic credential says nothing."""
    assert introduced(header) == said


@all_rows(
    ("here", "uid", "own", "place"),
    [
        (True, 1000, 1000, Origin.OWNER),
        (True, 0, 0, Origin.OWNER),
        (True, 1001, 1000, Origin.NEIGHBOUR),
        (True, 0, 1000, Origin.NEIGHBOUR),
        (True, 1000, 0, Origin.NEIGHBOUR),
        (True, None, 1000, Origin.UNTOLD),
        (True, 1000, None, Origin.UNTOLD),
        (True, None, None, Origin.UNTOLD),
        (False, 1000, 1000, Origin.ELSEWHERE),
        (False, None, None, Origin.ELSEWHERE),
    ],
)
def test_whose_a_connection_is(here: bool, uid: int | None, own: int | None, place: Origin) -> None:
    """Two users that are not known are not the same one, root is a user like others, and elsewhere is elsewhere."""
    assert origin(here=here, uid=uid, own=own) is place


@all_rows(
    ("said", "decided"),
    [
        (Introduced("", SECRET), Visitor("ann")),
        (Introduced("-", SECRET), Visitor("ann")),
        (Introduced("work", SECRET), Visitor("ann", "work")),
        (Introduced(SECRET), Visitor("ann")),
        (Introduced("bob", SECRET), Visitor("ann", "bob")),
        (Introduced("work"), Refused(Refusal.KEY_NEEDED)),
        (Introduced("ann", "wrong"), Refused(Refusal.KEY_UNKNOWN)),
        (Introduced("ann", fingerprint(SECRET)), Refused(Refusal.KEY_UNKNOWN)),
        (Introduced(), Refused(Refusal.KEY_NEEDED)),
    ],
)
@all_rows("place", Origin)
@all_rows("everyone_here", [True, False])
def test_with_keys_everybody_needs_one(
    said: Introduced, decided: Visitor | Refused, place: Origin, everyone_here: bool
) -> None:
    """The key's place is the password, or alone the user's; its digest is no key, and no place is one either."""
    assert admitted(said, Doors(keys=KEYS, everyone_here=everyone_here), place) == decided


def test_the_key_of_our_own_commands_closes_nothing() -> None:
    """It is made by itself where users cannot be told apart; without it nobody there could use the proxy at all."""
    keys = {fingerprint(SECRET): LOCAL}
    assert admitted(Introduced("-", SECRET), Doors(keys=keys), Origin.UNTOLD) == Visitor(LOCAL)
    assert admitted(Introduced(), Doors(keys=keys), Origin.UNTOLD) == Refused(Refusal.USER_UNTOLD)
    assert admitted(Introduced(), Doors(keys=keys), Origin.OWNER) == Visitor()
    assert admitted(Introduced(), Doors(keys=keys, everyone_here=True), Origin.UNTOLD) == Visitor()
    assert admitted(Introduced(), Doors(keys=keys, everyone_here=True), Origin.ELSEWHERE) == Refused(Refusal.KEY_NEEDED)


@pytest.mark.parametrize(
    ("said", "visitor"),
    [
        (Introduced(), Visitor()),
        (Introduced("work"), Visitor("", "work")),
    ],
)
def test_without_keys_the_owner_may(said: Introduced, visitor: Visitor) -> None:
    """And with `everyone_here` whoever is on this machine; nobody elsewhere, whatever is set."""
    closed, opened = Doors(keys={}), Doors(keys={}, everyone_here=True)
    for place in Origin:
        assert (admitted(said, closed, place) == visitor) is (place is Origin.OWNER)
        assert (admitted(said, opened, place) == visitor) is (place is not Origin.ELSEWHERE)


@all_rows("said", [Introduced("-", "x"), Introduced("work", "whatever")])
@all_rows("everyone_here", [True, False])
def test_a_key_that_is_not_known_opens_nothing_but_to_the_owner(said: Introduced, everyone_here: bool) -> None:
    """Whose programs may still show one of an earlier pool. There is no key at all here, so nobody needs one."""
    for place in Origin:
        decided = admitted(said, Doors(keys={}, everyone_here=everyone_here), place)
        assert (decided == Refused(Refusal.KEY_UNKNOWN)) is (place is not Origin.OWNER)


@all_rows(
    ("said", "place", "why"),
    [
        (Introduced(), Origin.NEIGHBOUR, Refusal.OTHER_USER),
        (Introduced("work"), Origin.NEIGHBOUR, Refusal.OTHER_USER),
        (Introduced(), Origin.UNTOLD, Refusal.USER_UNTOLD),
        (Introduced(), Origin.ELSEWHERE, Refusal.KEY_NEEDED),
        (Introduced("-", "wrong"), Origin.NEIGHBOUR, Refusal.KEY_UNKNOWN),
        (Introduced("-", "wrong"), Origin.ELSEWHERE, Refusal.KEY_UNKNOWN),
    ],
)
def test_a_refusal_says_why(said: Introduced, place: Origin, why: Refusal) -> None:
    assert admitted(said, Doors(keys={}), place) == Refused(why)


@all_rows("said", [Introduced("-", SECRET), Introduced(SECRET)])
@all_rows("keys", [{}, {fingerprint("another"): "bob"}])
def test_a_key_that_was_taken_back_is_named(said: Introduced, keys: dict[str, str]) -> None:
    doors = Doors(keys=keys, gone={fingerprint(SECRET): "ann"})
    assert admitted(said, doors, Origin.NEIGHBOUR) == Refused(Refusal.KEY_REMOVED, "ann")


def test_a_secret_is_new_long_and_fits_an_address() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(each) >= 40 and each.isascii() and each.replace("-", "").replace("_", "").isalnum() for each in made)


def test_a_secret_is_not_in_a_repr() -> None:
    assert SECRET not in repr(introduced(basic(f"work:{SECRET}")))


@all_rows("name", ["ann", "CI-runner_2", "a" * 40, "7"])
def test_names(name: str) -> None:
    assert NAME.fullmatch(name)


@all_rows("name", ["", "-", "-a", "a b", "a:b", "a" * 41, "ann\n", "é", "../x"])
def test_no_names(name: str) -> None:
    assert not NAME.fullmatch(name)


def test_client_keys_are_kept_as_digests(tmp_path: Path) -> None:
    """One of a name, the newest; the key itself is nowhere in the file."""
    with Store(tmp_path / "pool" / "pool.db") as store:
        store.put_client_key("ann", "the-old-secret-of-ann", 1.0).result()
        store.put_client_key("bob", "the-secret-of-bob", 2.0).result()
        store.put_client_key("ann", "the-new-secret-of-ann", 3.0).result()
        assert store.client_keys() == {
            fingerprint("the-secret-of-bob"): "bob",
            fingerprint("the-new-secret-of-ann"): "ann",
        }
        assert store.remove_client_key("bob").result() is True
        assert store.remove_client_key("bob").result() is False
    assert b"-secret-of-" not in (tmp_path / "pool" / "pool.db").read_bytes()
