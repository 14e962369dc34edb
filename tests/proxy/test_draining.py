"""A proxy that is told to stop finishes its turns, takes nothing new and leaves its port to the next one at once."""

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import h2.events
import httpx
import pytest

from addons import draining
from cli.running import proxy_command
from cli.running.proxies import running
from config import clock, proxy_files
from standin import Account, Fault, FaultKind, StandIn
from tests.harness import MITMDUMP, PATIENCE, Proxy, eventually, fill, options
from tests.proxy.clients import ASK, RECONNECT, RESPONSES, Http2, Socket, http1, tunnel

WAITING = "codex-rotate: waiting for 1 turn to end; stop once more to end at once"
MITMWEB = str(MITMDUMP.with_name("mitmweb"))
TOOLS = {
    "mitmdump -s": (str(MITMDUMP),),
    "serve": proxy_command.start("mitmdump"),
    "mitmweb -s": (MITMWEB,),
    "serve --web": proxy_command.start("mitmweb"),
}


@dataclass
class House:
    """A proxy with one account behind it, and what a client of it sends."""

    upstream: StandIn
    account: Account
    folder: Path
    proxy: Proxy

    def headers(self) -> dict[str, str]:
        return {"authorization": "Bearer of-the-client", "content-type": "application/json", "thread-id": "a-thread"}

    def hold(self, kind: FaultKind = FaultKind.STALL, **details: object) -> None:
        """Upstream stops in the middle of the next answer, until it is told to go on."""
        self.upstream.fault("acc-1", Fault(kind, after_output=True, **details), times=1)  # type: ignore[arg-type]

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.proxy.process.send_signal(number)

    def ended(self, seconds: float = PATIENCE) -> int:
        return self.proxy.process.wait(seconds)

    def told(self) -> list[proxy_files.ProxyInfo]:
        return proxy_files.announced(self.folder / "rotate" / "proxies")

    def asked(self) -> int:
        """How many turns have reached upstream."""
        return len(self.upstream.requests_to(RESPONSES))

    def accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.proxy.port), timeout=1).close()
        except OSError:
            return False
        return True


@contextmanager
def house(folder: Path, confdir: Path, tool: tuple[str, ...] = TOOLS["mitmdump -s"]) -> Iterator[House]:
    flags = options(rotate_head_timeout=60)
    if tool in (TOOLS["mitmweb -s"], TOOLS["serve --web"]):
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            flags += options(web_open_browser=False, web_port=probe.getsockname()[1])
    with StandIn() as upstream:
        account = upstream.add_account("acc-1")
        fill(folder / "rotate", [account], folder)
        with Proxy(upstream, folder / "rotate", confdir, flags, tool=tool) as proxy:
            proxy.output.wait_for(r"codex-rotate: \d+ accounts from", seconds=30)
            yield House(upstream, account, folder, proxy)
            upstream.release()


@pytest.fixture
def one(tmp_path: Path, confdir: Path) -> Iterator[House]:
    with house(tmp_path, confdir) as made:
        yield made


type Turn = Callable[[House, Callable[[], None]], str]


def over_http1(at: House, meanwhile: Callable[[], None]) -> str:
    """A turn: `meanwhile` is done when its first words are there. What was said in all."""
    text = ""
    with http1(at.proxy) as client, client.stream("POST", RESPONSES, headers=at.headers(), content=ASK) as answer:
        for line in answer.iter_lines():
            event = json.loads(line[6:]) if line.startswith("data: ") else {}
            if event.get("type") == "response.output_text.delta":
                if not text:
                    meanwhile()
                text += event["delta"]
    return text


def over_http2(at: House, meanwhile: Callable[[], None]) -> str:
    with Http2(at.proxy) as client:
        asked = client.ask(at.headers())
        client.until(asked, lambda seen: b"response.output_text.delta" in seen.body)
        meanwhile()
        seen = client.answer(asked)
        assert seen.ended
        return seen.text


def over_a_socket(at: House, meanwhile: Callable[[], None]) -> str:
    text = ""
    with Socket(at.proxy, at.headers()) as client:
        client.create()
        for message in client.messages():
            if message["type"] == "response.output_text.delta":
                if not text:
                    meanwhile()
                text += message["delta"]
        return text  # the socket was closed: nobody waits for more


@pytest.mark.parametrize("turn", [over_http1, over_http2, over_a_socket])
def test_a_turn_is_finished_and_then_the_proxy_ends(one: House, turn: Turn) -> None:
    """Meanwhile the port is free for another one, and commands are told."""
    one.hold()
    port = one.proxy.port

    def meanwhile() -> None:
        one.stop()
        one.proxy.output.wait_for(WAITING)
        assert eventually(lambda: not one.accepts())
        with closing(socket.create_server(("127.0.0.1", port))):
            assert eventually(lambda: [each.turns for each in one.told()] == [1])
            assert running({"CODEX_ROTATE_HOME": str(one.folder / "rotate")}) == []
            assert one.proxy.process.poll() is None
        one.upstream.release()

    assert turn(one, meanwhile) == one.account.answer
    assert one.ended() == 0
    assert (one.asked(), one.told()) == (1, [])


@pytest.mark.parametrize(
    ("tool", "number"),
    [
        ("mitmdump -s", signal.SIGINT),
        ("mitmweb -s", signal.SIGTERM),
        ("serve", signal.SIGHUP),
        ("serve --web", signal.SIGINT),
    ],
)
def test_in_each_way_of_starting_it_and_by_each_signal(
    tmp_path: Path, confdir: Path, tool: str, number: signal.Signals
) -> None:
    with house(tmp_path, confdir, tuple(TOOLS[tool])) as at:
        at.hold()

        def meanwhile() -> None:
            at.stop(number)
            at.proxy.output.wait_for(WAITING)
            at.upstream.release()

        assert over_http2(at, meanwhile) == at.account.answer
        assert at.ended() == 0


def test_without_a_turn_it_ends_at_once(one: House) -> None:
    """However many connections are open: over HTTP, a socket between two turns, one that has asked for nothing."""
    with ExitStack() as stack:
        stack.enter_context(closing(socket.create_connection(("127.0.0.1", one.proxy.port), PATIENCE)))
        assert stack.enter_context(Http2(one.proxy)).turn(one.headers()).completed
        between = stack.enter_context(Socket(one.proxy, one.headers()))
        assert between.turn().completed
        stack.enter_context(closing(tunnel(one.proxy, "example.com", one.upstream.plain_port)))
        began = clock.monotonic()
        one.stop()
        assert one.ended() == 0
        assert clock.monotonic() - began < draining.OTHER_SECONDS
        assert list(between.messages()) == []
    assert "waiting for" not in one.proxy.output.text()


def test_a_second_signal_ends_it_at_once(one: House) -> None:
    """And says what that costs. Signals that come together are one: several of us may pass on the same."""
    one.hold()
    with Http2(one.proxy) as client:
        asked = client.ask(one.headers())
        client.until(asked, lambda seen: b"response.output_text.delta" in seen.body)
        one.stop()
        one.stop(signal.SIGINT)
        one.proxy.output.wait_for(WAITING)
        with pytest.raises(AssertionError):
            one.proxy.output.wait_for("told to stop", seconds=2 * draining.SAME_SECONDS)
        one.stop(signal.SIGINT)
        assert one.ended() == 0
        assert client.answer(asked).cut
    assert "codex-rotate: told to stop once more: 1 turn was cut off" in one.proxy.output.text()


def test_idle_connections_are_closed_at_once_and_busy_ones_after_their_turn(one: House) -> None:
    one.hold()
    with ExitStack() as stack:
        silent = stack.enter_context(closing(socket.create_connection(("127.0.0.1", one.proxy.port), PATIENCE)))
        between = stack.enter_context(Socket(one.proxy, one.headers(), wait=True))
        busy = stack.enter_context(Http2(one.proxy))
        asked = busy.ask(one.headers())
        busy.until(asked, lambda seen: b"response.output_text.delta" in seen.body)
        one.stop()
        assert silent.recv(1) == b""
        assert list(between.messages()) == []
        assert one.proxy.process.poll() is None
        one.upstream.release()
        assert busy.answer(asked).text == one.account.answer
        assert one.ended() == 0


def test_a_turn_asked_for_in_a_socket_that_is_about_to_close_is_sent_elsewhere(one: House) -> None:
    """By the words on which the client reconnects in silence; upstream is not asked, so nothing is paid twice."""
    one.hold()
    with Http2(one.proxy) as busy, Socket(one.proxy, one.headers()) as between:
        asked = busy.ask(one.headers())
        busy.until(asked, lambda seen: b"response.output_text.delta" in seen.body)
        one.stop()
        one.proxy.output.wait_for(WAITING)
        between.create()
        seen = list(between.messages())
        assert [each.get("error", {}).get("code") for each in seen] in ([RECONNECT], [])  # or it was closed just before
        (upgraded,) = [each for each in one.upstream.requests_to(RESPONSES) if each.websocket]
        assert upgraded.messages == ()
        one.upstream.release()
        assert busy.answer(asked).ended
        assert one.ended() == 0


def test_a_request_on_a_busy_http2_connection_is_served_and_the_next_one_asked_to_go_elsewhere(one: House) -> None:
    one.hold()
    with Http2(one.proxy) as client:
        first = client.ask(one.headers())
        client.until(first, lambda seen: b"response.output_text.delta" in seen.body)
        one.stop()
        one.proxy.output.wait_for(WAITING)
        client.ask(one.headers())
        goodbye = [each for each in raw_events(client) if isinstance(each, h2.events.ConnectionTerminated)]
        assert [(each.error_code, each.last_stream_id) for each in goodbye] == [(0, 2**31 - 1)]
        assert eventually(lambda: one.asked() == 2)


def raw_events(client: Http2) -> list[h2.events.Event]:
    """What comes until the server says goodbye: h2 itself then takes the connection for closed."""
    seen: list[h2.events.Event] = []
    while not any(isinstance(each, h2.events.ConnectionTerminated) for each in seen):
        data = client.socket.recv(65536)
        assert data
        seen += client.wire.receive_data(data)
    return seen


def test_an_http1_connection_is_told_to_close_in_the_head_of_the_last_answer(one: House) -> None:
    """The client then asks on another one."""
    one.upstream.fault("acc-1", Fault(FaultKind.HANG), times=1)
    with http1(one.proxy) as client:
        answers: list[httpx.Response] = []

        def ask() -> None:
            answers.append(client.post(RESPONSES, headers=one.headers(), content=ASK))

        asking = threading.Thread(target=ask)
        asking.start()
        assert eventually(lambda: one.asked() == 1)
        one.stop()
        one.proxy.output.wait_for(WAITING)
        one.upstream.release()
        asking.join(PATIENCE)
        assert [answer.headers["connection"] for answer in answers] == ["close"]
    assert one.ended() == 0


def test_the_clients_own_requests_hold_it_up_for_a_moment_only(one: House) -> None:
    one.upstream.fault("*", Fault(FaultKind.HANG, path="/backend-api/wham/accounts/check"))
    own = {"authorization": f"Bearer {one.account.access_token}"}
    with Http2(one.proxy) as client:
        client.ask(own, method="GET", path="/backend-api/wham/accounts/check", body=b"")
        assert one.upstream.wait_for(lambda: one.upstream.requests_to("/backend-api/wham/accounts/check"))
        began = clock.monotonic()
        one.stop()
        assert one.ended() == 0
        assert draining.OTHER_SECONDS < clock.monotonic() - began < draining.OTHER_SECONDS + PATIENCE
    assert "waiting for" not in one.proxy.output.text()


def test_a_signal_that_was_ignored_stays_ignored(tmp_path: Path, confdir: Path) -> None:
    """As `nohup` has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with house(tmp_path, confdir) as at:
            signal.signal(signal.SIGHUP, before)
            at.stop(signal.SIGHUP)
            with Http2(at.proxy) as client:
                assert client.turn(at.headers()).completed
            assert at.proxy.process.poll() is None
    finally:
        signal.signal(signal.SIGHUP, before)
