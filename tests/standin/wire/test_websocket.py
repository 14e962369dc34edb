"""The WebSocket: permessage-deflate, many turns, in-band faults, and every way it ends."""

import json
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from wsproto.events import BytesMessage, Ping, TextMessage

from standin import CASES, Account, Fault, FaultKind, StandIn
from tests.standin.clients import SocketClient

type Open = Callable[[Account], SocketClient]


def types(messages: list[dict[str, object]]) -> list[object]:
    return [message["type"] for message in messages]


def test_turns_on_one_socket(upstream: StandIn, account: Account, ws_client: Open) -> None:
    """A warm-up without output, then turns that may refer to what this socket answered."""
    client = ws_client(account)
    warm_up = client.turn(generate=False)
    assert types(warm_up) == ["codex.rate_limits", "response.created", "response.completed"]
    answer = client.turn(previous_response_id=warm_up[-1]["response"]["id"])
    assert answer[0]["rate_limits"]["primary"]["window_minutes"] == 300
    assert "".join(message.get("delta", "") for message in answer) == "Hello from acc-1."
    assert types(client.turn(previous_response_id="resp_unknown")) == ["error"]
    assert types(client.turn())[-1] == "response.completed"
    [seen] = upstream.requests
    assert (seen.websocket, seen.status, seen.http_version) == (True, 101, "1.1")
    assert [message.get("generate") for message in seen.messages] == [False, None, None, None]


def test_previous_response_is_known_to_its_socket_only(account: Account, ws_client: Open) -> None:
    """Another socket answers `previous_response_not_found`."""
    first = ws_client(account).turn()
    [refusal] = ws_client(account).turn(previous_response_id=first[-1]["response"]["id"])
    assert (refusal["status"], refusal["error"]["code"]) == (400, "previous_response_not_found")


def test_the_upgrade_answer(account: Account, ws_client: Open) -> None:
    """The 101 carries deflate, the turn state of the account and a cookie."""
    client = ws_client(account)
    assert client.deflate.enabled()
    assert client.headers["x-codex-turn-state"].startswith("state-acc-1-")
    assert client.headers["set-cookie"].startswith("__cf_bm=")


def test_without_deflate(account: Account, connect: Callable[..., ssl.SSLSocket]) -> None:
    """A client that offers no extension gets none."""
    client = SocketClient(connect(), account, deflate=False)
    assert types(client.turn())[-1] == "response.completed"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FaultKind.UPGRADE_REQUIRED, 426),
        (FaultKind.USAGE_LIMIT, 429),
        (FaultKind.UNAUTHORIZED_EXPIRED, 401),
        (FaultKind.CLOUDFLARE, 403),
        (FaultKind.OVERLOADED, 503),
        (FaultKind.REDIRECT, 302),
    ],
)
def test_refused_upgrade(upstream: StandIn, account: Account, ws_client: Open, kind: FaultKind, status: int) -> None:
    """A fault that is not in-band refuses the upgrade with its status."""
    upstream.fault("acc-1", Fault(kind), times=1)
    assert ws_client(account).rejected == status
    assert upstream.requests[0].status == status
    assert ws_client(account).rejected is None


def test_in_band_refusal(upstream: StandIn, account: Account, ws_client: Open) -> None:
    """An in-band fault lets the upgrade pass and answers the message with a wrapped error."""
    fault = Fault(FaultKind.USAGE_LIMIT, resets_in=60, retry_after=7, in_band=True)
    upstream.fault("acc-1", fault, times=1)
    client = ws_client(account)
    [refusal] = client.turn()
    assert (refusal["type"], refusal["status"]) == ("error", 429)
    assert refusal["error"]["type"] == "usage_limit_reached"
    assert refusal["error"]["resets_in_seconds"] == 60
    assert refusal["headers"]["retry-after"] == "7"
    assert types(client.turn())[-1] == "response.completed"


def done(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items of an answer."""
    return [message["item"] for message in messages if message["type"] == "response.output_item.done"]


def test_sealed_content(upstream: StandIn, account: Account, other: Account, ws_client: Open) -> None:
    """Another account's is refused in-band as over HTTP, and so is nobody's; the socket goes on."""
    upstream.seal_reasoning = True
    mine, others = ws_client(account), ws_client(other)
    reasoning, message = done(mine.turn())
    assert reasoning["type"] == "reasoning"
    nobodys = reasoning | {"encrypted_content": "gAAAAnobodys"}
    for blame, item in (("did not match", reasoning), ("could not be decrypted", nobodys)):
        [refusal] = others.turn(input=[item, message])
        assert (refusal["type"], refusal["status"]) == ("error", 400)
        assert refusal["error"]["code"] == "invalid_encrypted_content"
        assert blame in refusal["error"]["message"]
    assert types(others.turn(input=[message]))[-1] == "response.completed"
    assert types(mine.turn(input=[reasoning, message]))[-1] == "response.completed"


def test_compaction(upstream: StandIn, account: Account, other: Account, ws_client: Open) -> None:
    """A trigger gets one compaction item and nothing else; another account refuses that item in-band."""
    upstream.seal_reasoning = True
    mine = ws_client(account)
    [item] = done(mine.turn(input=[{"type": "compaction_trigger"}]))
    assert item["type"] == "compaction"
    assert item["id"].startswith("cmp_")
    assert types(mine.turn(input=[item]))[-1] == "response.completed"
    [refusal] = ws_client(other).turn(input=[item])
    assert (refusal["status"], refusal["error"]["code"]) == (400, "invalid_encrypted_content")


def test_a_fault_set_later_strikes_in_band(upstream: StandIn, account: Account, ws_client: Open) -> None:
    """On a socket that is open, any fault can only strike in-band."""
    client = ws_client(account)
    client.turn()
    upstream.fault("acc-1", Fault(FaultKind.UNAUTHORIZED_INVALIDATED), times=1)
    [refusal] = client.turn()
    assert (refusal["status"], refusal["error"]["code"]) == (401, "token_invalidated")


def test_after_output(upstream: StandIn, account: Account, ws_client: Open) -> None:
    """After output the error follows the first piece of text; a warm-up is spared."""
    upstream.fault("acc-1", Fault(FaultKind.USAGE_LIMIT, after_output=True), times=1)
    client = ws_client(account)
    assert types(client.turn(generate=False))[-1] == "response.completed"
    assert types(client.turn())[-2:] == ["response.output_text.delta", "error"]


def test_warm_up_can_be_spared(upstream: StandIn, account: Account, ws_client: Open) -> None:
    """`warm_up=False` keeps a counted fault for the first real turn."""
    upstream.fault("acc-1", Fault(FaultKind.FAILED_EVENT, code="slow_down", in_band=True, warm_up=False), times=1)
    client = ws_client(account)
    assert types(client.turn(generate=False))[-1] == "response.completed"
    assert client.turn()[-1]["response"]["error"]["code"] == "slow_down"


@pytest.mark.parametrize(
    ("fault", "last", "end"),
    [
        (Fault(FaultKind.TRUNCATED), "response.created", 1001),
        (Fault(FaultKind.TRUNCATED, after_output=True), "response.output_text.delta", 1001),
        (Fault(FaultKind.EMPTY), None, 1001),
        (Fault(FaultKind.RESET, in_band=True), None, None),
        (Fault(FaultKind.CLOSE, in_band=True), None, None),
        (Fault(FaultKind.RESET, after_output=True), "response.output_text.delta", None),
        (Fault(FaultKind.CLOSE, after_output=True), "response.output_text.delta", None),
        (Fault(FaultKind.GOAWAY, after_output=True), "response.output_text.delta", None),
    ],
)
def test_ends(
    upstream: StandIn, account: Account, ws_client: Open, fault: Fault, last: str | None, end: int | None
) -> None:
    """TRUNCATED and EMPTY end with a close frame; RESET, CLOSE and GOAWAY without one."""
    upstream.fault("acc-1", fault)
    client = ws_client(account)
    client.create()
    seen: list[object] = []
    while isinstance(message := client.receive(), dict):
        seen.append(message["type"])
    assert message == end
    assert (seen[-1] if seen else None) == last
    upstream.wait_for(lambda: upstream.requests[0].closed)
    assert not upstream.requests[0].disconnected


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        (Fault(FaultKind.STALL), "response.created"),
        (Fault(FaultKind.STALL, after_output=True), "response.output_text.delta"),
    ],
)
def test_stall_and_release(upstream: StandIn, account: Account, ws_client: Open, fault: Fault, last: str) -> None:
    """A stalled answer goes on when it is released; the next one stalls again."""
    upstream.fault("acc-1", fault)
    client = ws_client(account)
    for _ in range(2):
        client.create()
        while isinstance(message := client.receive(), dict) and message["type"] != last:
            pass
        upstream.release()
        assert types(client.rest())[-1] == "response.completed"


def test_silence_after_a_request_lasts_until_time_has_passed() -> None:
    """Then the answer is a normal one."""
    with StandIn(by_hand=True) as upstream:
        account = upstream.add_account("acc-1")
        upstream.fault("acc-1", CASES["socket_silent_for_a_minute"], times=1)
        context = ssl.create_default_context(cafile=str(upstream.ca_file))
        raw = socket.create_connection(upstream.address, timeout=5)
        with context.wrap_socket(raw, server_hostname="chatgpt.com") as connection:
            client = SocketClient(connection, account)
            client.create()
            upstream.wait_for(lambda: upstream.pausing)
            upstream.pass_time(60)
            assert types(client.rest())[-1] == "response.completed"


@pytest.mark.parametrize("code", [1008, 1011, 1012, 1013])
def test_a_socket_that_is_closed_before_or_after_the_first_message(
    upstream: StandIn, account: Account, ws_client: Open, code: int
) -> None:
    """Before the first event in either case; what the server has done is not the client's leaving."""
    upstream.fault("acc-1", CASES[f"closed_{code}"], times=1)
    assert ws_client(account).receive() == code
    upstream.fault("acc-1", CASES[f"closed_{code}_at_message"], times=1)
    client = ws_client(account)
    client.create()
    assert client.receive() == code
    assert not any(seen.disconnected for seen in upstream.requests)


def test_a_message_that_is_too_big_closes_the_socket(upstream: StandIn, account: Account, ws_client: Open) -> None:
    upstream.fault("acc-1", Fault(FaultKind.MESSAGE_TOO_BIG, min_bytes=1000))
    client = ws_client(account)
    assert types(client.turn())[-1] == "response.completed"
    client.create(padding="x" * 1000)
    assert client.receive() == 1009


def test_an_error_without_a_status(upstream: StandIn, account: Account, ws_client: Open) -> None:
    upstream.fault("acc-1", CASES["limit_without_status"], times=1)
    [error] = ws_client(account).turn()
    assert error["error"]["type"] == "usage_limit_reached"
    assert "status" not in error


def test_a_client_that_leaves_in_the_middle(upstream: StandIn, account: Account, ws_client: Open) -> None:
    """Leaving while an answer is owed counts as disconnected."""
    upstream.fault("acc-1", Fault(FaultKind.STALL, in_band=True))
    client = ws_client(account)
    client.create()
    upstream.wait_for(lambda: upstream.requests[0].messages)
    client.socket.close()
    assert upstream.wait_for(lambda: upstream.requests[0].disconnected)


def test_a_client_that_leaves_between_turns(upstream: StandIn, account: Account, ws_client: Open) -> None:
    """Leaving while nothing is owed does not; that is how the official client ends."""
    client = ws_client(account)
    client.turn()
    client.socket.close()
    upstream.wait_for(lambda: upstream.requests[0].closed)
    assert not upstream.requests[0].disconnected
    assert upstream.requests[0].close_code is None


def test_a_close_frame_is_recorded_and_answered(upstream: StandIn, account: Account, ws_client: Open) -> None:
    """The code of the client's close frame is kept."""
    client = ws_client(account)
    client.close(1001)
    assert client.receive() == 1001
    upstream.wait_for(lambda: upstream.requests[0].close_code == 1001)


def test_ping_and_fragments(account: Account, ws_client: Open) -> None:
    """A ping is answered, and fragments make one message."""
    client = ws_client(account)
    text = json.dumps({"type": "response.create", "input": []})
    client._send(Ping(payload=b"x"))
    client._send(TextMessage(data=text[:10], message_finished=False))
    client._send(TextMessage(data=text[10:], message_finished=True))
    assert types(client.rest())[-1] == "response.completed"


@pytest.mark.parametrize("message", ["not json", "[]", '{"type": "unknown"}'])
def test_unreadable_messages(account: Account, ws_client: Open, message: str) -> None:
    """What is no `response.create` gets an error; the socket stays."""
    client = ws_client(account)
    client._send(TextMessage(data=message))
    assert types(client.rest()) == ["error"]
    assert types(client.turn())[-1] == "response.completed"


def test_a_binary_message_ends_the_socket(account: Account, ws_client: Open) -> None:
    """Only text is spoken here."""
    client = ws_client(account)
    client._send(BytesMessage(data=b"\0"))
    assert client.receive() == 1003
