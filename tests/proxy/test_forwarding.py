"""What goes upstream: the client's own request, with an account's credentials and nothing else changed."""

import json

import pytest
import zstandard

from tests.harness import eventually
from tests.proxy.clients import ASK, CHATGPT, MODELS, RESPONSES, Http2, Socket, http1, turn1
from tests.proxy.conftest import Bench

OURS = frozenset({"authorization", "chatgpt-account-id"})
OF_THE_CLIENT = {
    "originator": "codex_exec",
    "user-agent": "codex_exec/0.169.0 (Debian 12.0.0; x86_64) unknown (codex_exec; 0.169.0)",
    "version": "0.169.0",
    "session-id": "01a1fb61-0000-7000-a77d-000000000001",
    "x-client-request-id": "01a1fb61-0000-7000-a77d-000000000002",
    "x-codex-window-id": "01a1fb61-0000-7000-a77d-000000000002:0",
    "x-codex-turn-metadata": json.dumps({"installation_id": "i-1", "request_kind": "turn", "sandbox": "read-only"}),
    "x-codex-beta-features": "remote_compaction_v2",
    "x-openai-internal-codex-responses-lite": "true",
    "x-codex-routing-hint": "model=gpt-5",
    "x-oai-attestation": '{"v":1,"s":0,"t":"opaque"}',
    "accept": "text/event-stream",
    "cookie": "mine=cookie-of-the-client; oai-did=another",
}
"""docs/codex-wire.md section 2.1, beside what `Bench.headers` has."""

ODD_BODY = b'{ "model":"gpt-5",\n\t"input" : [ ], "unknown\\u00e9": 1.50,  "z": null }\n'


@pytest.fixture(autouse=True)
def answered(bench: Bench) -> None:
    """The first account has answered before, and set its cookies."""
    bench.calm()


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_everything_but_the_credentials_arrives_as_it_was_sent(bench: Bench, version: str):
    sent = {**bench.headers(), **OF_THE_CLIENT, "content-length": str(len(ODD_BODY))}
    if version == "h1":
        with http1(bench.proxy) as client:
            turn1(client, sent, ODD_BODY)
    else:
        with Http2(bench.proxy) as client:
            client.turn(dict(sent), ODD_BODY)
    (seen,) = bench.seen()
    arrived = dict(seen.headers)
    assert len(arrived) == len(seen.headers), "no header twice"
    added_by_httpx = {"host", "accept-encoding", "connection"} if version == "h1" else set()
    left_out = OURS | {"cookie"}
    assert {name: arrived[name] for name in arrived if name not in left_out | added_by_httpx} == {
        name: value for name, value in sent.items() if name not in left_out
    }
    assert arrived["cookie"].startswith(f"{OF_THE_CLIENT['cookie']}; ")  # and those of the edge for this account
    assert seen.authorization == f"Bearer {bench.first.access_token}"
    assert seen.header("chatgpt-account-id") == bench.first.account_id
    assert (seen.method, seen.host, seen.path) == ("POST", CHATGPT, RESPONSES)
    assert seen.body == ODD_BODY


def test_a_compressed_body_stays_compressed(bench: Bench):
    body = zstandard.compress(ASK)
    with Http2(bench.proxy) as client:
        assert client.turn(bench.headers(content_encoding="zstd"), body).completed
    (seen,) = bench.seen()
    assert seen.raw_body_length == len(body)
    assert seen.header("content-encoding") == "zstd"
    assert seen.body == ASK


def test_a_socket_s_messages_arrive_as_they_were_sent(bench: Bench):
    with Socket(bench.proxy, {**bench.headers(), **OF_THE_CLIENT}) as client:
        assert client.turn(custom={"a": [1, 2.5, None, "é"]}).completed
        assert client.turn(second=True).completed
    (seen,) = bench.seen()
    assert [message.get("custom") or message.get("second") for message in seen.messages] == [
        {"a": [1, 2.5, None, "é"]},
        True,
    ]
    arrived = dict(seen.headers)
    assert arrived["cookie"].startswith(f"{OF_THE_CLIENT['cookie']}; ")
    assert {name: arrived.get(name) for name in OF_THE_CLIENT if name != "cookie"} == {
        name: value for name, value in OF_THE_CLIENT.items() if name != "cookie"
    }
    assert seen.authorization == f"Bearer {bench.first.access_token}"


def test_the_query_is_kept_and_the_catalogue_is_served_by_one_steady_account(bench: Bench):
    with Http2(bench.proxy) as client:
        for _ in range(3):
            asked = client.ask(bench.headers(), method="GET", path=f"{MODELS}?client_version=0.169.0", body=b"")
            assert client.answer(asked).headers["etag"] == 'W/"stand-in"'
    assert {seen.path for seen in bench.seen()} == {f"{MODELS}?client_version=0.169.0"}
    assert bench.served_by(MODELS) == ["first"] * 3


def test_the_answer_s_headers_reach_the_client(bench: Bench):
    """Rate limits, request id, turn state and the cookies of the edge: the client reads all of them."""
    with Http2(bench.proxy) as client:
        answer = client.turn(bench.headers())
    assert answer.headers["x-codex-primary-used-percent"] == "12"
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-codex-turn-state"].startswith(f"state-{bench.first.account_id}-")
    assert answer.headers["set-cookie"].startswith("__cf_bm=")
    assert "redacted" not in answer.headers["set-cookie"]


# --- what belongs to an account stays with it ------------------------------------------------------------------------


def pause(bench: Bench) -> None:
    bench.store.update_account(bench.keys[bench.first.account_id], enabled=False).result()


@pytest.mark.parametrize("version", ["h1", "h2", "ws"])
def test_a_turn_state_goes_back_to_the_account_that_issued_it_and_to_nobody_else(bench: Bench, version: str):
    def turn(**more: str) -> str:
        headers = bench.headers(**more)
        if version == "ws":
            with Socket(bench.proxy, headers) as socket:
                assert socket.turn().completed
                return socket.upgrade.headers["x-codex-turn-state"]
        if version == "h1":
            with http1(bench.proxy) as client:
                return turn1(client, headers).headers["x-codex-turn-state"]
        with Http2(bench.proxy) as client:
            return client.turn(headers).headers["x-codex-turn-state"]

    state = turn()
    assert turn(x_codex_turn_state=state) == state
    assert eventually(lambda: all(seen.closed for seen in bench.seen())), "a socket that is open still would move"
    pause(bench)
    assert turn(x_codex_turn_state=state) != state
    assert [seen.header("x-codex-turn-state") for seen in bench.seen()] == [None, state, None]
    assert bench.served_by() == ["first", "first", "second"]


def test_a_turn_state_of_unknown_origin_is_not_sent_with_a_managed_account(bench: Bench):
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers(x_codex_turn_state="state-of-the-client-s-own-account")).completed
    assert bench.seen()[0].header("x-codex-turn-state") is None


def test_routing_headers_are_those_of_the_account(bench: Bench):
    """The client's own say what its own account is: wrong for every other."""
    key = bench.keys[bench.second.account_id]
    bench.store.update_account(key, fedramp=True, routing_override="us").result()
    mine = {"x_openai_fedramp": "true", "x_openai_account_routing_override": "us_cr"}
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers(**mine)).completed
        pause(bench)
        assert turn1(client, bench.headers()).completed
    names = ("x-openai-fedramp", "x-openai-account-routing-override")
    assert [[seen.header(name) for name in names] for seen in bench.seen()] == [[None, None], ["true", "us"]]


@pytest.mark.parametrize("version", ["h1", "h2", "ws"])
def test_an_account_of_another_region_is_served_at_its_own_origin(bench: Bench, version: str):
    key = bench.keys[bench.first.account_id]
    bench.store.update_account(key, backend_origin="https://eu.chatgpt.com").result()
    if version == "h1":
        with http1(bench.proxy) as client:
            assert turn1(client, bench.headers()).completed
    elif version == "h2":
        with Http2(bench.proxy) as client:
            assert client.turn(bench.headers()).completed
    else:
        with Socket(bench.proxy, bench.headers()) as client:
            assert client.turn().completed
    assert [seen.host for seen in bench.seen()] == ["eu.chatgpt.com"]


def test_an_origin_that_is_not_the_provider_s_gets_nothing(bench: Bench):
    """A wrong row in the database must not send a token anywhere: the request is refused."""
    key = bench.keys[bench.first.account_id]
    bench.store.update_account(key, backend_origin="https://chatgpt.com.evil.example").result()
    with http1(bench.proxy) as client:
        answer = client.post(RESPONSES, headers=bench.headers(), content=ASK)
    assert answer.status_code == 503
    assert answer.json()["error"]["type"] == "codex_rotate_defect"
    assert bench.seen() == ()
