"""An answer can be as slow as the world's, and a client that leaves in the middle of it is noticed at once."""

import json
import ssl
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from config import clock
from standin import Account, Pace, SeenRequest, StandIn
from standin.pace import LATE_END_SECONDS, Pause
from tests.standin.clients import QUICK, RESPONSES, Http2Client, SocketClient, credentials, sse_events

ROOT = Path(__file__).resolve().parents[2]
LONG = 60.0
"""Longer than any test waits."""
MOMENT = 0.2

type Connect = Callable[..., ssl.SSLSocket]


def ask(http: httpx.Client, account: Account) -> httpx.Response:
    return http.post(RESPONSES, headers=credentials(account), json={"input": []})


def arrivals(http: httpx.Client, account: Account) -> list[tuple[float, str]]:
    """When each line of an answer came, in seconds since it was asked for; the last entry is its end."""
    began = clock.monotonic()
    with http.stream("POST", RESPONSES, headers=credentials(account), json={"input": []}) as answer:
        came = [(clock.monotonic() - began, "head")]
        came += [(clock.monotonic() - began, line) for line in answer.iter_lines()]
    return [*came, (clock.monotonic() - began, "end")]


def when(came: list[tuple[float, str]], word: str) -> list[float]:
    return [at for at, line in came if word in line]


def seen(upstream: StandIn) -> SeenRequest:
    return upstream.requests_to(RESPONSES)[-1]


# --- what is slow ----------------------------------------------------------------------------------------------------


def test_the_head_is_withheld(upstream: StandIn, http: httpx.Client, account: Account) -> None:
    upstream.pace("acc-1", Pace(first_byte=MOMENT))
    assert arrivals(http, account)[0][0] >= MOMENT


def test_each_further_word_takes_its_time(upstream: StandIn, http: httpx.Client, account: Account) -> None:
    """The first one comes with the beginning."""
    upstream.pace("acc-1", Pace(between_words=MOMENT))
    account.answer = "one two three"
    came = arrivals(http, account)
    _, second, third = when(came, 'data: {"type": "response.output_text.delta"')
    assert second >= MOMENT
    assert third >= 2 * MOMENT


def test_a_stream_ends_a_little_late_unless_told_otherwise(
    upstream: StandIn, http: httpx.Client, account: Account
) -> None:
    """The official client hangs up in between."""
    assert Pace().late_end == LATE_END_SECONDS > 0.002
    upstream.pace("acc-1", Pace(late_end=MOMENT))
    assert arrivals(http, account)[-1][0] >= MOMENT


def test_an_answer_is_counted_on_to_its_length(upstream: StandIn, http: httpx.Client, account: Account) -> None:
    upstream.pace("acc-1", Pace(words=6))
    account.answer = "Hello from here."
    events = sse_events(ask(http, account).text)
    assert "".join(each["delta"] for each in events if each["type"] == "response.output_text.delta") == (
        "Hello from here. 4 5 6"
    )
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello from here. 4 5 6"
    assert Pace(words=2).said("Hello from here.") == "Hello from here."


def test_in_a_socket_too(upstream: StandIn, ws_client: Callable[[Account], SocketClient], account: Account) -> None:
    """But for a warm-up, which has nothing to say, and for the end, which a socket does not have."""
    upstream.pace("acc-1", Pace(first_byte=LONG, between_words=LONG))
    client = ws_client(account)
    assert client.turn(generate=False)[-1]["type"] == "response.completed"
    upstream.pace("acc-1", Pace(first_byte=MOMENT, between_words=MOMENT, words=5, late_end=LONG))
    account.answer = "one two three"
    began = clock.monotonic()
    messages = client.turn()
    assert clock.monotonic() - began >= 5 * MOMENT
    assert "".join(each["delta"] for each in messages if "delta" in each) == "one two three 4 5"


# --- whose ------------------------------------------------------------------------------------------------------------


def test_it_is_one_accounts_or_everybodys(
    upstream: StandIn, http: httpx.Client, account: Account, other: Account
) -> None:
    """What is said of all later holds for those too that were told apart before."""
    upstream.pace("acc-1", Pace(words=5))
    assert " 4 5" in ask(http, account).text
    assert " 4 5" not in ask(http, other).text
    upstream.pace("*", Pace(words=6))
    assert " 5 6" in ask(http, account).text
    assert " 5 6" in ask(http, other).text
    upstream.pace("acc-2:user-2", Pace())
    assert " 5 6" not in ask(http, other).text


def test_from_the_start() -> None:
    with StandIn(pace=Pace(words=5)) as upstream:
        account = upstream.add_account("acc-1")
        url = f"{upstream.base_url}/codex/responses"
        assert " 4 5" in httpx.post(url, headers=credentials(account), json={"input": []}, **QUICK).text


def test_from_another_process(upstream: StandIn, http: httpx.Client, account: Account) -> None:
    url = f"http://127.0.0.1:{upstream.plain_port}/_standin/pace"
    assert httpx.post(url, json={"account": "acc-1", "words": 5, "late_end": 0}, **QUICK).status_code == 200
    assert " 4 5" in ask(http, account).text


def test_from_the_command_line() -> None:
    command = [sys.executable, "-W", "error", "-m", "standin", "--words", "5", "--late-end", "0.5"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        port = json.loads(process.stdout.readline())["plain_port"]
        asked = httpx.post(f"http://127.0.0.1:{port}/_standin/account", json={"account_id": "acc-1"}, **QUICK)
        headers = {"authorization": f"Bearer {asked.json()['tokens']['access_token']}"}
        began = clock.monotonic()
        answer = httpx.post(f"http://127.0.0.1:{port}{RESPONSES}", headers=headers, json={"input": []}, **QUICK)
        assert " 4 5" in answer.text
        assert clock.monotonic() - began >= 0.5
        process.stdin.close()
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize("flags", [("--first-byte", "-1"), ("--words", "many"), ("--colour", "red")])
def test_flags_that_mean_nothing(flags: tuple[str, str]) -> None:
    """It does not start, and says why."""
    done = subprocess.run(
        [sys.executable, "-m", "standin", *flags],
        cwd=ROOT,
        input="",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert flags[0].strip("-").replace("-", "_") in done.stderr.replace("-", "_")


@pytest.mark.parametrize(
    "asked",
    [
        {"first_byte": -1},
        {"between_words": 1e9},
        {"late_end": "soon"},
        {"words": -1},
        {"colour": "red"},
        {"account": "nobody", "words": 1},
    ],
)
def test_a_pace_that_is_none(upstream: StandIn, account: Account, asked: dict[str, Any]) -> None:
    """It is refused with a reason, and what was said before holds."""
    url = f"http://127.0.0.1:{upstream.plain_port}/_standin/pace"
    answer = httpx.post(url, json=asked, **QUICK)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -0.1])
def test_no_time(seconds: float) -> None:
    with pytest.raises(ValueError, match="first_byte must be from 0 to 600 seconds"):
        Pace(first_byte=seconds)


# --- a client that leaves ---------------------------------------------------------------------------------------------

PLACES = {
    "before the head": (Pace(first_byte=LONG), "", True),
    "between words": (Pace(between_words=LONG), "response.output_text.delta", True),
    "after the last event": (Pace(late_end=LONG), "response.completed", False),
}
"""How slow it is, what the client waits for before it leaves, and whether it left early."""


@pytest.mark.parametrize("place", PLACES)
def test_nothing_waits_for_a_client_that_has_left(upstream: StandIn, connect: Connect, place: str) -> None:
    """Over HTTP/1.1. One that has the last event had everything."""
    pace, word, early = PLACES[place]
    account = upstream.add_account("acc-1")
    upstream.pace("acc-1", pace)
    sock = connect()
    head = "".join(f"{name}: {value}\r\n" for name, value in credentials(account).items())
    sock.sendall(
        f"POST {RESPONSES} HTTP/1.1\r\nhost: chatgpt.com\r\n{head}content-length: 12\r\n\r\n".encode() + b'{"input":[]}'
    )
    heard = b""
    while word and word.encode() not in heard:
        heard += sock.recv(65536)
    upstream.wait_for(lambda: upstream.requests_to(RESPONSES))
    assert not seen(upstream).closed
    sock.close()
    upstream.wait_for(lambda: seen(upstream).closed)
    assert seen(upstream).disconnected is early


@pytest.mark.parametrize("hang_up", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_nor_for_a_stream_that_was_left(
    upstream: StandIn, h2_client: Callable[[], Http2Client], place: str, hang_up: bool
) -> None:
    """Over HTTP/2."""
    pace, word, early = PLACES[place]
    account = upstream.add_account("acc-1")
    upstream.pace("acc-1", pace)
    client = h2_client()
    asked = client.ask("POST", RESPONSES, credentials(account), b'{"input":[]}')
    if word:
        client.read_until(lambda: word.encode() in client.answers[asked].body, asked)
    upstream.wait_for(lambda: upstream.requests_to(RESPONSES))
    if hang_up:
        client.socket.close()
    else:
        client.cancel(asked)
    upstream.wait_for(lambda: seen(upstream).closed)
    assert seen(upstream).disconnected is early


@pytest.mark.parametrize("politely", [False, True])
@pytest.mark.parametrize("pace", [Pace(first_byte=LONG), Pace(between_words=LONG)])
def test_nor_for_a_socket_that_is_gone(
    upstream: StandIn, ws_client: Callable[[Account], SocketClient], pace: Pace, politely: bool
) -> None:
    account = upstream.add_account("acc-1")
    upstream.pace("acc-1", pace)
    client = ws_client(account)
    client.create()
    upstream.wait_for(lambda: seen(upstream).messages)
    if politely:
        client.close()
    client.socket.close()
    upstream.wait_for(lambda: seen(upstream).closed)
    assert seen(upstream).disconnected


def test_a_close_frame_in_mid_answer_ends_the_answer(
    upstream: StandIn, ws_client: Callable[[Account], SocketClient], account: Account
) -> None:
    """Also while the client keeps the connection, to hear the stand-in's own close frame."""
    upstream.pace("acc-1", Pace(between_words=MOMENT, words=20))
    client = ws_client(account)
    client.create()
    upstream.wait_for(lambda: seen(upstream).messages)
    client.close()
    upstream.wait_for(lambda: seen(upstream).closed)
    assert not upstream.errors


@pytest.mark.serial
def test_it_can_be_closed_in_the_middle_of_a_long_wait() -> None:
    with StandIn(pace=Pace(first_byte=LONG)) as upstream:
        account = upstream.add_account("acc-1")
        url = f"{upstream.base_url}/codex/responses"
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, headers=credentials(account), json={"input": []}, **(QUICK | {"timeout": MOMENT}))
        began = clock.monotonic()
    assert clock.monotonic() - began < LONG / 2


# --- pauses before events --------------------------------------------------------------------------------------------


def test_a_pause_before_an_event_by_its_number_or_kind() -> None:
    kinds = ["a", "b", "a"]
    assert Pause(2.0, 1).waits(kinds) == [0.0, 2.0, 0.0]
    assert Pause(2.0, "a").waits(kinds) == [2.0, 0.0, 2.0]
    assert Pause(2.0).waits(kinds) == [2.0, 2.0, 2.0]


def test_random_pauses_are_the_same_again() -> None:
    first = Pause(1.0, seed=7).waits(["a"] * 20)
    assert first == Pause(1.0, seed=7).waits(["a"] * 20) != Pause(1.0, seed=8).waits(["a"] * 20)
    assert all(0 <= each < 1 for each in first)
    assert len(set(first)) > 1


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), 601.0])
def test_what_is_no_pause(seconds: float) -> None:
    with pytest.raises(ValueError, match="a pause must be"):
        Pause(seconds)


def test_pauses_come_from_a_control_request() -> None:
    pace = Pace.of({"pauses": [{"seconds": 1.0, "before": "response.completed"}, {"seconds": 2.0, "seed": 1}]})
    assert pace.pauses == (Pause(1.0, "response.completed"), Pause(2.0, seed=1))


def test_a_pause_by_hand_ends_when_time_has_passed() -> None:
    with StandIn(by_hand=True) as upstream:
        account = upstream.add_account("acc-1")
        upstream.pace("acc-1", Pace(pauses=(Pause(5.0, "response.completed"),)))
        with httpx.Client(**QUICK) as client, ThreadPoolExecutor() as pool:
            headers = credentials(account)
            asked = pool.submit(
                client.post, f"{upstream.base_url}/codex/responses", headers=headers, json={"input": []}
            )
            upstream.wait_for(lambda: upstream.pausing == 1)
            (attempt,) = upstream.attempts
            assert attempt.delivered == attempt.events - 1
            upstream.pass_time(5.0)
            assert sse_events(asked.result().text)[-1]["type"] == "response.completed"
