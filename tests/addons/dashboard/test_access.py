"""Who is let in to the page, as whom, and for how long."""

from accounts.model import fingerprint
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.people.registry import PeopleRegistry
from addons.dashboard.access import SESSION_SECONDS, PageAccess, PageDoors, Session
from config.page.token import CODE_SECONDS, new_code
from tests.builders import NOW

TOKEN = "a token that nobody can guess"


def doors(*keys: tuple[str, str, str], paused: bool = False, ends: float | None = None) -> PageDoors:
    """Keys: secret, name, and whose it is."""
    known = [
        ClientKey(name=name, digest=fingerprint(secret), person=person, expires_at=ends)
        for secret, name, person in keys
    ]
    people = [Person(name=person, paused=paused) for _, _, person in keys if person]
    return PageDoors(keys={each.digest: each.name for each in known}, registry=PeopleRegistry(people, known))


ANN = doors(("secret-ann", "ann-laptop", "ann"), ("secret-ci", "ci", ""), ("secret-local", "local", ""))


def entered(access: PageAccess, shown: str) -> Session:
    session = access.entered(shown, NOW)
    assert session is not None
    return session


def test_the_owner_shows_the_token_and_people_their_keys() -> None:
    access = PageAccess(TOKEN, lambda: ANN)
    assert entered(access, TOKEN).is_owner
    assert entered(access, "secret-local").is_owner
    assert entered(access, "secret-ann").person == "ann"
    assert entered(access, "secret-ci").person == "ci"
    for wrong in ("", "x", TOKEN[:-1], TOKEN + "x", "secret-bob"):
        assert access.entered(wrong, NOW) is None


def test_a_code_lets_in_once_and_not_for_long() -> None:
    access = PageAccess(TOKEN, PageDoors)
    code = new_code(TOKEN, NOW)
    assert entered(access, code).is_owner
    assert access.entered(code, NOW) is None
    assert access.entered(new_code(TOKEN, NOW - CODE_SECONDS), NOW) is None
    assert access.entered(new_code("another", NOW), NOW) is None


def test_another_user_of_this_machine_is_not_the_owner_whatever_they_have_read() -> None:
    """A code is an argument of a browser, and those are no secret on a machine."""
    access = PageAccess(TOKEN, lambda: ANN)
    code = new_code(TOKEN, NOW)
    assert access.entered(code, NOW, trusted=False) is None
    assert access.entered(TOKEN, NOW, trusted=False) is None
    found = access.entered("secret-ann", NOW, trusted=False)
    assert found is not None
    assert found.person == "ann"


def test_a_session_outlives_the_proxy_and_ends_with_its_time() -> None:
    cookie = entered(PageAccess(TOKEN, PageDoors), TOKEN).cookie
    again = PageAccess(TOKEN, PageDoors)
    assert again.session(cookie, NOW + SESSION_SECONDS - 1) is not None
    assert again.session(cookie, NOW + SESSION_SECONDS) is None
    assert PageAccess("another token", PageDoors).session(cookie, NOW) is None


def test_a_cookie_that_was_changed_is_nobody_s() -> None:
    access = PageAccess(TOKEN, lambda: ANN)
    cookie = entered(access, "secret-ann").cookie
    who, ends, proof = cookie.split(".")
    for wrong in (
        f"owner.{ends}.{proof}",
        f"{who}.{int(ends) + 9}.{proof}",
        f"{who}.{ends}.{proof[:-1]}x",
        "",
        "..",
        cookie + "x",
    ):
        assert access.session(wrong, NOW) is None


def test_a_person_s_session_ends_with_their_key() -> None:
    known = [ANN]
    access = PageAccess(TOKEN, lambda: known[0])
    cookie = entered(access, "secret-ann").cookie
    assert access.session(cookie, NOW) is not None
    for gone in (
        PageDoors(),
        doors(("another secret", "ann-laptop", "ann")),
        doors(("secret-ann", "ann-laptop", "ann"), paused=True),
        doors(("secret-ann", "ann-laptop", "ann"), ends=NOW - 1),
    ):
        known[0] = gone
        assert access.session(cookie, NOW) is None


def test_a_change_needs_what_only_the_session_s_own_page_shows() -> None:
    access = PageAccess(TOKEN, lambda: ANN)
    mine, other = entered(access, TOKEN), entered(access, "secret-ann")
    assert access.may_change(mine, access.csrf(mine))
    assert not access.may_change(mine, access.csrf(other))
    assert not access.may_change(mine, "")


def test_no_session_shows_its_cookie_when_it_is_printed() -> None:
    session = entered(PageAccess(TOKEN, PageDoors), TOKEN)
    assert session.cookie not in repr(session)
