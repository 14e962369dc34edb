"""Who may use the proxy is decided by a key; for which account, by the user name beside it."""

import base64
from pathlib import Path

import pytest

from accounts.client_keys import NAME, Introduced, Visitor, admitted, introduced, new_secret
from accounts.model import fingerprint
from accounts.store import Store

SECRET = "the-secret-of-ann"
KEYS = {fingerprint(SECRET): "ann", fingerprint("another"): "bob"}


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
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


@pytest.mark.parametrize(
    ("said", "visitor"),
    [
        (Introduced("", SECRET), Visitor("ann")),
        (Introduced("-", SECRET), Visitor("ann")),
        (Introduced("work", SECRET), Visitor("ann", "work")),
        (Introduced(SECRET), Visitor("ann")),
        (Introduced("bob", SECRET), Visitor("ann", "bob")),
        (Introduced("work"), None),
        (Introduced("ann", "wrong"), None),
        (Introduced("ann", fingerprint(SECRET)), None),
        (Introduced(), None),
    ],
)
@pytest.mark.parametrize("here", [True, False])
def test_with_keys_everybody_needs_one(said: Introduced, visitor: Visitor | None, here: bool) -> None:
    """The key's place is the password, or alone the user's; its digest is no key, and being here is none either."""
    assert admitted(said, KEYS, here=here) == visitor


@pytest.mark.parametrize(
    ("said", "visitor"),
    [
        (Introduced(), Visitor()),
        (Introduced("-", "x"), Visitor()),
        (Introduced("work"), Visitor("", "work")),
        (Introduced("work", "whatever"), Visitor("", "work")),
    ],
)
def test_without_keys_this_machine_may(said: Introduced, visitor: Visitor) -> None:
    """Nobody on this machine is asked for a key while there is none; others are refused."""
    assert admitted(said, {}, here=True) == visitor
    assert admitted(said, {}, here=False) is None


def test_a_secret_is_new_long_and_fits_an_address() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(each) >= 40 and each.isascii() and each.replace("-", "").replace("_", "").isalnum() for each in made)


def test_a_secret_is_not_in_a_repr() -> None:
    assert SECRET not in repr(introduced(basic(f"work:{SECRET}")))


@pytest.mark.parametrize("name", ["ann", "CI-runner_2", "a" * 40, "7"])
def test_names(name: str) -> None:
    assert NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "-", "-a", "a b", "a:b", "a" * 41, "ann\n", "é", "../x"])
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
