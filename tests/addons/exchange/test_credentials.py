"""The request on the wire: a copy with the right credentials, and nothing else changed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import http

from accounts.choice.pool import Lease
from accounts.model import Account
from accounts.origin import HOME_HOST
from accounts.requests.foreign_reasoning import Unsealing
from addons.exchange.account_cookies import AccountCookies
from addons.exchange.credentials import (
    MOST_TURN_STATES,
    TURN_STATE,
    Belongings,
    OffItsRoute,
    TurnStates,
    managed,
)
from addons.redaction import flows
from addons.redaction.patterns import REQUEST_HEADERS
from tests.builders import NOW, account, key_of
from tests.builders import credentials as tokens

CLIENT = b"Bearer of-the-client-nobody-may-see"
TOUCHED = {
    "authorization",
    "chatgpt-account-id",
    "x-openai-fedramp",
    "x-openai-account-routing-override",
    TURN_STATE,
    "host",
}
PLAIN: tuple[tuple[bytes, bytes], ...] = (
    (b"Host", b"chatgpt.com"),
    (b"Authorization", CLIENT),
    (b"ChatGPT-Account-ID", b"acct-of-the-client"),
    (b"user-agent", b"codex_cli_rs/0.169.0"),
    (b"thread-id", b"t-1"),
    (b"Cookie", b"cf=1"),
)


def request(*fields: tuple[bytes, bytes], **changes: Any) -> http.Request:
    values: dict[str, Any] = {
        "host": "chatgpt.com",
        "port": 443,
        "method": b"POST",
        "scheme": b"https",
        "authority": b"",
        "path": b"/backend-api/codex/responses?x=1",
        "http_version": b"HTTP/1.1",
        "headers": http.Headers(fields or PLAIN),
        "content": b'{"model": "gpt"}',
        "trailers": None,
        "timestamp_start": 1.0,
        "timestamp_end": 2.0,
    }
    return http.Request(**{**values, **changes})


def lease(seat: Account | None = None, name: str = "a") -> Lease:
    return Lease(account=seat or account(name), credentials=tokens(name), thread="t-1", at=NOW)


def hiding(shown: http.Request) -> flows.FlowRedactor:
    """What the addon does to a request before anything else."""
    hidden = flows.FlowRedactor()
    hidden.request_head(shown)
    hidden.request_body(shown)
    return hidden


def sent(
    shown: http.Request,
    seat: Account | None = None,
    states: TurnStates | None = None,
    cookies: AccountCookies | None = None,
) -> http.Request:
    """What goes on the wire for a request of the client, hidden and leased as the addon does it."""
    given = Belongings(states or TurnStates(), cookies or AccountCookies(), Unsealing())
    return managed(shown, hiding(shown), lease(seat), given)


# --- managed ---------------------------------------------------------------------------------------------------------


def test_the_account_takes_the_place_of_the_clients_login() -> None:
    wire = sent(request())
    assert wire.headers.get_all("authorization") == [f"Bearer {tokens('a').access}"]
    assert wire.headers.get_all("chatgpt-account-id") == ["acct-a"]
    assert CLIENT not in bytes(wire.headers)
    assert b"acct-of-the-client" not in bytes(wire.headers)


def test_a_login_without_an_account_id_gets_one() -> None:
    assert sent(request((b"authorization", CLIENT))).headers["chatgpt-account-id"] == "acct-a"


def test_doubled_credentials_become_one() -> None:
    fields = ((b"authorization", CLIENT), (b"Authorization", CLIENT), (b"chatgpt-account-id", b"1")) * 2
    wire = sent(request(*fields))
    assert [len(wire.headers.get_all(name)) for name in ("authorization", "chatgpt-account-id")] == [1, 1]
    assert CLIENT not in bytes(wire.headers)


@pytest.mark.parametrize("clients", [(), (b"true",), (b"true", b"true")])
@pytest.mark.parametrize(("fedramp", "values"), [(True, ["true"]), (False, [])])
def test_fedramp_is_the_accounts_own(clients: tuple[bytes, ...], fedramp: bool, values: list[str]) -> None:
    fields = [*PLAIN, *((b"X-OpenAI-FedRAMP", value) for value in clients)]
    assert sent(request(*fields), account(fedramp=fedramp)).headers.get_all("x-openai-fedramp") == values


@pytest.mark.parametrize("clients", [(), (b"us",), (b"us", b"us_cr")])
@pytest.mark.parametrize(("override", "values"), [("us_cr", ["us_cr"]), (None, [])])
def test_the_routing_override_is_the_accounts_own(
    clients: tuple[bytes, ...], override: str | None, values: list[str]
) -> None:
    fields = [*PLAIN, *((b"x-openai-account-routing-override", value) for value in clients)]
    wire = sent(request(*fields), account(routing_override=override))
    assert wire.headers.get_all("x-openai-account-routing-override") == values


@pytest.mark.parametrize(
    ("issuer", "kept"), [("a", True), ("b", False), (None, False)], ids=["its own", "another's", "nobody's"]
)
def test_a_turn_state_goes_back_only_to_who_issued_it(issuer: str | None, kept: bool) -> None:
    states = TurnStates()
    if issuer:
        states.issued("state-1", key_of(issuer))
    wire = sent(request(*PLAIN, (b"X-Codex-Turn-State", b"state-1")), states=states)
    assert wire.headers.get_all(TURN_STATE) == (["state-1"] if kept else [])


def test_of_two_turn_states_only_the_accounts_own_goes_on() -> None:
    states = TurnStates()
    states.issued("its own", key_of("a"))
    states.issued("another's", key_of("b"))
    both = ((b"x-codex-turn-state", b"another's"), (b"x-codex-turn-state", b"its own"))
    assert sent(request(*PLAIN, *both), states=states).headers.get_all(TURN_STATE) == ["its own"]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "chatgpt.com"),
        ("https://chatgpt.com", "chatgpt.com"),
        ("https://eu.chatgpt.com", "eu.chatgpt.com"),
    ],
)
def test_a_request_goes_to_the_accounts_own_origin_over_tls(origin: str | None, host: str) -> None:
    clients = request(
        (b"Authorization", CLIENT),
        (b"host", b"us.chatgpt.com"),
        host="us.chatgpt.com",
        authority=b"us.chatgpt.com",
        http_version=b"HTTP/2.0",
    )
    wire = sent(clients, account(backend_origin=origin))
    assert (wire.scheme, wire.host, wire.port, wire.authority) == ("https", host, 443, host)
    assert wire.headers["host"] == host
    assert wire.pretty_host == host


@pytest.mark.parametrize(
    "changes",
    [
        {"method": b"post"},
        {"method": b"DELETE"},
        {"method": b"GET"},
        {"path": b"/backend-api/me"},
        {"path": b"/backend-api/codex/../me"},
        {"host": "example.test"},
        {"host": "ab.chatgpt.com.example.test"},
        {"port": 8443},
        {"scheme": b"http"},
        {"authority": b"example.test"},
    ],
)
def test_what_has_left_its_route_meanwhile_gets_no_credentials(changes: dict[str, Any]) -> None:
    """Another addon, or `map_remote`, has had the request since its route was chosen."""
    with pytest.raises(OffItsRoute):
        sent(request(**changes))


def test_no_host_and_no_authority_are_made_up() -> None:
    """HTTP/2 has no `host`, HTTP/1 no authority."""
    wire = sent(request((b"authorization", CLIENT), authority=b"chatgpt.com", http_version=b"HTTP/2.0"))
    assert "host" not in wire.headers
    assert sent(request()).authority == ""


def test_over_http1_a_path_alone_is_asked_for() -> None:
    """Whatever the client has written: what is a whole address would be read by each server in its own way."""
    assert sent(request(authority=b"chatgpt.com")).authority == ""


@pytest.mark.parametrize(
    "origin",
    [
        "http://chatgpt.com",
        "chatgpt.com",
        "",
        "https://example.com",
        "https://auth.openai.com",
        "https://evilchatgpt.com",
        "https://chatgpt.com.evil.com",
        "https://chatgpt.com:443",
        "https://chatgpt.com/",
        "https://chatgpt.com/path",
        "https://user@chatgpt.com",
        "https://a.b.chatgpt.com",
        "https://https://chatgpt.com",
        "https://CHATGPT.COM",
        "HTTPS://chatgpt.com",
        "https://chatgpt.com\n",
        " https://chatgpt.com",
        "//chatgpt.com",
        "https://127.0.0.1",
        "https://",
        "NO_CONSTRAINT",
    ],
)
def test_an_origin_that_is_not_the_providers_is_refused_and_nothing_is_sent(origin: str) -> None:
    shown = request()
    with pytest.raises(ValueError, match=r"^the origin of a is not one of the provider's hosts$"):
        sent(shown, account(backend_origin=origin))
    assert "Bearer" not in str(shown.headers)


@given(st.text(max_size=30).map(lambda text: f"https://{text}") | st.text(max_size=30))
@settings(deadline=None)
def test_no_origin_leads_anywhere_but_to_the_provider(origin: str) -> None:
    try:
        wire = sent(request(), account(backend_origin=origin))
    except ValueError:
        return
    assert wire.host == HOME_HOST or wire.host.endswith(f".{HOME_HOST}")


def test_the_shown_request_is_never_changed() -> None:
    states = TurnStates()
    shown = request(*PLAIN, (b"x-codex-turn-state", b"foreign"), (b"x-openai-fedramp", b"true"))
    hidden = hiding(shown)
    before = shown.copy()
    wire = managed(
        shown,
        hidden,
        lease(account(backend_origin="https://eu.chatgpt.com")),
        Belongings(states, AccountCookies(), Unsealing()),
    )
    wire.headers["later"] = "change"
    wire.path = "/other"
    assert shown.get_state() == before.get_state()
    assert tokens("a").access not in str(shown.get_state())


def test_a_second_account_gets_the_clients_request_and_not_the_firsts() -> None:
    shown = request()
    hidden = hiding(shown)
    given = Belongings(TurnStates(), AccountCookies(), Unsealing())
    first = managed(shown, hidden, lease(account("a", fedramp=True, routing_override="us"), "a"), given)
    second = managed(shown, hidden, lease(account("b"), "b"), given)
    assert tokens("a").access in str(first.headers)
    assert tokens("a").access not in str(second.headers)
    assert "x-openai-fedramp" not in second.headers
    assert second.headers["chatgpt-account-id"] == "acct-b"


def untouched(headers: http.Headers) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers.fields if name.lower().decode() not in TOUCHED]


NAME = st.text(alphabet="abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=10).map(str.encode)
ANY_NAME = NAME | st.sampled_from([*REQUEST_HEADERS, *(name.encode() for name in sorted(TOUCHED - {"host"}))])
"""A host that is not the connection's own is refused."""


@given(st.lists(st.tuples(ANY_NAME, st.binary(max_size=10)), max_size=10), st.booleans(), st.sampled_from([None, "us"]))
@settings(deadline=None)
def test_nothing_else_is_changed_and_the_order_is_kept(
    fields: list[tuple[bytes, bytes]], fedramp: bool, override: str | None
) -> None:
    client = http.Headers(fields)
    shown = request(headers=http.Headers(fields))
    wire = sent(shown, account(fedramp=fedramp, routing_override=override))
    assert untouched(wire.headers) == untouched(client)
    same = ("method", "path", "http_version", "content", "trailers", "timestamp_start", "timestamp_end")
    assert [getattr(wire.data, name) for name in same] == [getattr(shown.data, name) for name in same]


# --- cookies of the edge ----------------------------------------------------------------------------------------------


def setting(*cookies: bytes) -> http.Response:
    return http.Response.make(200, b"", tuple((b"Set-Cookie", each) for each in cookies))


def of_two() -> AccountCookies:
    """What was set for each of two accounts."""
    cookies = AccountCookies()
    cookies.served(lease(account("a"), "a"), setting(b"__cf_bm=of-a; Path=/; Secure", b"__cflb=of-a"), NOW)
    cookies.served(lease(account("b"), "b"), setting(b"__cf_bm=of-b; Path=/; Secure", b"_cfuvid=of-b"), NOW)
    return cookies


@pytest.mark.parametrize(
    ("sent_by_client", "on_the_wire"),
    [
        ([], ["__cf_bm=of-a; __cflb=of-a"]),
        ([b"mine=1"], ["mine=1; __cf_bm=of-a; __cflb=of-a"]),
        ([b"__cf_bm=of-b; _cfuvid=of-b; mine=1"], ["mine=1; __cf_bm=of-a; __cflb=of-a"]),
        ([b"__cf_bm=of-b"], ["__cf_bm=of-a; __cflb=of-a"]),
        ([b"__cf_bm=of-b", b"mine=1"], ["__cf_bm=of-a; __cflb=of-a", "mine=1"]),
        ([b"_cfuvid=of-nobody-we-know"], ["_cfuvid=of-nobody-we-know; __cf_bm=of-a; __cflb=of-a"]),
        ([b"mine=1", b"_cfuvid=of-b"], ["mine=1; __cf_bm=of-a; __cflb=of-a"]),
        ([b"mine=__cf_bm; x=of-b"], ["mine=__cf_bm; x=of-b; __cf_bm=of-a; __cflb=of-a"]),
    ],
)
def test_an_account_gets_its_own_cookies_and_no_others(sent_by_client: list[bytes], on_the_wire: list[str]) -> None:
    fields = [field for field in PLAIN if field[0] != b"Cookie"] + [(b"cookie", each) for each in sent_by_client]
    wire = sent(request(*fields), cookies=of_two())
    assert wire.headers.get_all("cookie") == on_the_wire


def test_an_account_without_cookies_gets_none_of_others() -> None:
    client = request((b"authorization", CLIENT), (b"cookie", b"__cf_bm=of-b;  mine=1"))
    hidden = hiding(client)
    wire = managed(client, hidden, lease(account("c"), "c"), Belongings(TurnStates(), of_two(), Unsealing()))
    assert wire.headers.get_all("cookie") == ["mine=1"]


def test_where_there_is_nothing_to_keep_apart_the_field_stays_byte_for_byte() -> None:
    wire = sent(request((b"Cookie", b"a=1;b=2;  __cf_bm=unknown ;")))
    assert wire.headers.fields[0] == (b"Cookie", b"a=1;b=2;  __cf_bm=unknown ;")


def test_no_cookie_of_an_account_is_in_what_is_shown() -> None:
    shown = request()
    sent(shown, cookies=of_two())
    assert "of-a" not in str(shown.get_state())


# --- turn states -----------------------------------------------------------------------------------------------------


def test_a_turn_state_belongs_to_the_last_who_issued_it() -> None:
    states = TurnStates()
    states.issued("s", "a")
    states.issued("s", "b")
    assert (states.belongs("s", "a"), states.belongs("s", "b"), states.belongs("other", "b")) == (False, True, False)


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_answer_without_a_turn_state_issues_none(nothing: str | None) -> None:
    states = TurnStates()
    states.issued(nothing, "a")
    assert not states.belongs("", "a")


def test_turn_states_take_bounded_memory_and_the_oldest_goes_first() -> None:
    states = TurnStates()
    for number in range(MOST_TURN_STATES + 1):
        states.issued(str(number), "a")
    assert not states.belongs("0", "a")
    assert states.belongs("1", "a")
    assert len(states._issuers) == MOST_TURN_STATES


def test_turn_states_are_not_kept_in_clear() -> None:
    states = TurnStates()
    states.issued("a-state-nobody-may-see", "a")
    assert "nobody" not in repr(vars(states))
