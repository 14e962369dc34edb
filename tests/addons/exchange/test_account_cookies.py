"""The edge's cookies by account: what is kept, for how long, and what the client's own requests take along."""

import pytest
from mitmproxy import http

from accounts.choice.pool import Lease
from addons.exchange.account_cookies import LONGEST_VALUE, MOST_ACCOUNTS, MOST_ISSUED, AccountCookies
from tests.builders import NOW, account, credentials

A_MINUTE = 60.0


def lease(name: str = "a", at: float = NOW) -> Lease:
    return Lease(account=account(name), credentials=credentials(name), thread="t-1", at=at)


def setting(*cookies: bytes) -> http.Response:
    return http.Response.make(200, b"", tuple((b"Set-Cookie", each) for each in cookies))


def kept(*cookies: bytes, at: float = NOW) -> list[bytes]:
    """What the account has after one answer for each."""
    jar = AccountCookies()
    for each in cookies:
        jar.served(lease(), setting(each), NOW)
    return list(jar.of(lease(at=at)).values())


@pytest.mark.parametrize(
    ("cookies", "left"),
    [
        ([b"__cf_bm=1; Path=/; HttpOnly"], [b"__cf_bm=1"]),
        (
            [b"__cf_bm=1", b"_cfuvid=2", b"__cflb=3", b"cf_clearance=4"],
            [b"__cf_bm=1", b"_cfuvid=2", b"__cflb=3", b"cf_clearance=4"],
        ),
        ([b"__cf_bm=1", b"__cf_bm=2"], [b"__cf_bm=2"]),
        ([b"oai-did=1"], []),
        ([b"__Secure-next-auth.session-token=1"], []),
        ([b"__cf_bm"], [b"__cf_bm"]),
        ([b"=__cf_bm"], []),
        ([b""], []),
        ([b"__cf_bm=" + b"x" * LONGEST_VALUE], []),
    ],
)
def test_only_what_the_edge_sets_is_kept(cookies: list[bytes], left: list[bytes]) -> None:
    assert kept(*cookies) == left


@pytest.mark.parametrize(
    ("attributes", "seconds", "there"),
    [
        (b"", 1e9, True),
        (b"; Max-Age=60", 59, True),
        (b"; max-age=60", 61, False),
        (b"; Max-Age=soon", 1e9, True),
        (b"; Expires=Fri, 15 Jan 2027 08:01:00 GMT", 59, True),
        (b"; expires=Fri, 15 Jan 2027 08:01:00 GMT", 61, False),
        (b"; expires=Fri, 15 Jan 2027 08:01:00 GMT; max-age=120", 61, True),
        (b"; expires=\xff", 61, True),
    ],
)
def test_a_cookie_holds_as_long_as_it_says(attributes: bytes, seconds: float, there: bool) -> None:
    assert kept(b"__cf_bm=1" + attributes, at=NOW + seconds) == ([b"__cf_bm=1"] if there else [])


@pytest.mark.parametrize("end", [b"; Max-Age=0", b"; Max-Age=-1", b"; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_cookie_can_be_taken_back(end: bytes) -> None:
    assert kept(b"__cf_bm=1", b"_cfuvid=2", b"__cf_bm=" + end) == [b"_cfuvid=2"]


def test_the_accounts_of_longest_ago_are_forgotten() -> None:
    jar = AccountCookies()
    for number in range(MOST_ACCOUNTS + 1):
        jar.served(lease(f"account-{number}"), setting(b"__cf_bm=%d" % number), NOW)
    assert not jar.of(lease("account-0"))
    assert jar.of(lease("account-1"))
    for number in range(MOST_ISSUED + 1):
        jar.served(lease(), setting(b"__cf_bm=more-%d" % number), NOW)
    assert len(jar._issued) == MOST_ISSUED


def own(jar: AccountCookies, value: bytes, account_id: bytes = b"acct-home") -> list[bytes]:
    fields = ((b"authorization", b"Bearer x"), (b"Cookie", value))
    left = jar.without_managed(fields, account_id)
    assert left[0] == fields[0]
    return [value for name, value in left if name == b"Cookie"]


def test_the_clients_own_requests_take_nothing_along_that_was_set_for_an_account() -> None:
    """But what was set for its own login, or for the same account, or by nobody we know."""
    jar = AccountCookies()
    jar.served(lease(), setting(b"__cf_bm=of-a"), NOW)
    jar.answered(b"acct-home", setting(b"_cfuvid=of-home"))
    assert own(jar, b"__cf_bm=of-a; _cfuvid=of-home; x=1") == [b"_cfuvid=of-home; x=1"]
    assert own(jar, b"__cf_bm=of-a") == []
    assert own(jar, b"__cf_bm=of-a", b"acct-a") == [b"__cf_bm=of-a"]
    assert own(jar, b"__cf_bm=of-a", b"") == [b"__cf_bm=of-a"]
    untouched = ((b"cookie", b"__cf_bm=unknown;x=1"),)
    assert jar.without_managed(untouched, b"acct-home") == untouched


def test_what_was_set_for_the_clients_own_login_goes_with_no_other_token() -> None:
    jar = AccountCookies()
    jar.answered(b"acct-home", setting(b"__cf_bm=of-home"))
    jar.answered(b"acct-a", setting(b"_cfuvid=of-a"))
    assert jar.left_of(b"__cf_bm=of-home; _cfuvid=of-a; x=1", lease(), {}) == b"_cfuvid=of-a; x=1"


def test_values_are_not_shown() -> None:
    jar = AccountCookies()
    jar.served(lease(), setting(b"__cf_bm=nobody-may-see"), NOW)
    assert "nobody" not in repr(vars(jar))
