"""What mitmproxy plays again goes through the pool like any request, or is refused with words; no mark leaves."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.exceptions import FlowReadException
from mitmproxy.io import FlowReader, FlowWriter

from standin import Account, Fault, FaultKind, SeenRequest, StandIn
from tests.corporate import Corporate
from tests.harness import REDIRECT, Proxy, eventually, fill, options, secrets_of
from tests.proxy.clients import ASK, MODELS, RESPONSES, Socket, http1, turn1

MARK = "[redacted by codex-rotate]"
API = "api.openai.com"
PLANTED = "sk-Zq00x7Kdx7Kdx7Kdx7Kd"
CHECK = "/backend-api/wham/accounts/check"
FORM = "/backend-api/accounts/login"
USAGE = "/backend-api/wham/usage"
NAMES = ("turn", "with a key", "models", "own", "api key", "other host", "form", "bare", "socket")
"""What is recorded, in order."""

type Change = Callable[[http.HTTPFlow], object]


def to_another_host(flow: http.HTTPFlow) -> None:
    flow.request.host = "example.com"


def with_a_socket_that_was_not_opened(flow: http.HTTPFlow) -> None:
    flow.websocket = None


def copied(flow: http.HTTPFlow) -> None:
    flow.request.headers["x-copied"] = f"Bearer {MARK}"


def in_the_path(flow: http.HTTPFlow) -> None:
    flow.request.path = f"{USAGE}?key=[secret]"


def in_the_body(flow: http.HTTPFlow) -> None:
    flow.request.text = f"it says {MARK}"


def in_the_words(flow: http.HTTPFlow) -> None:
    flow.request.content = json.dumps(json.loads(ASK) | {"input": MARK}).encode()


EDITED: dict[str, tuple[str, Change]] = {
    "turn elsewhere": ("turn", to_another_host),
    "copied": ("bare", copied),
    "in the path": ("bare", in_the_path),
    "in the body": ("bare", in_the_body),
    "in the words": ("turn", in_the_words),
    "upgrade": ("socket", with_a_socket_that_was_not_opened),
}
"""What somebody makes of what was recorded before it is played again."""


@dataclass
class Played:
    """What became of each flow, what upstream was asked for it, and what mitmdump has said and saved."""

    flows: dict[str, http.HTTPFlow]
    asked: dict[str, list[SeenRequest]]
    said: str
    saved: bytes

    def why(self, name: str) -> str:
        """The words of a refusal of ours; nothing was sent."""
        response = self.flows[name].response
        assert response is not None
        assert (response.status_code, self.asked.get(name)) == (400, None)
        error = json.loads(response.content or b"")["error"]
        assert error["type"].startswith("codex_rotate_")
        return str(error["message"])

    def served_by(self, name: str) -> list[str | None]:
        return [each.account_id for each in self.asked.get(name, [])]


@dataclass
class Recorded:
    """A capture of one of each kind of request, and what plays it again."""

    upstream: StandIn
    accounts: list[Account]
    own: Account
    folder: Path
    confdir: Path
    flows: dict[str, http.HTTPFlow] = field(default_factory=dict)

    def flow(self, name: str, change: Change = lambda _: None) -> http.HTTPFlow:
        """A copy, which may have been edited."""
        found = http.HTTPFlow.from_state(self.flows[name].get_state())
        change(found)
        return found

    def play(
        self, flows: dict[str, http.HTTPFlow], *flags: str, home: str = "rotate", kind: type[Proxy] = Proxy
    ) -> Played:
        """mitmdump plays these again, one after another."""
        played, after = self.folder / "played.flow", self.folder / "after.flow"
        after.unlink(missing_ok=True)
        with played.open("wb") as file:
            for name, each in flows.items():
                each.request.headers["x-played"] = name
                FlowWriter(file).add(each)
        before = len(self.upstream.requests)
        flags = ("-C", str(played), "-w", str(after), *options(flow_detail=4, allow_hosts=".*"), *flags)
        with kind(self.upstream, self.folder / home, self.confdir, flags) as proxy:
            played_by_mitmproxy = {name: each for name, each in flows.items() if each.websocket is None}
            number = len(played_by_mitmproxy)
            assert eventually(lambda: after.exists() and len(read(after)) == number, 30), proxy.output.text()
            said = proxy.stop()
        asked: dict[str, list[SeenRequest]] = {}
        for each in self.upstream.requests[before:]:
            asked.setdefault(dict(each.headers)["x-played"], []).append(each)
        found = Played(dict(zip(played_by_mitmproxy, read(after), strict=True)), asked, said, after.read_bytes())
        assert MARK not in told(found.asked)
        return found


class Behind(Proxy):
    """The proxy without the script that leads it to the stand-in."""

    def command(self) -> list[str]:
        command = super().command()
        at = command.index(str(REDIRECT))
        return command[: at - 1] + command[at + 1 :]


def read(file: Path) -> list[http.HTTPFlow]:
    """What is there in full by now: mitmproxy may still be writing."""
    found: list[http.HTTPFlow] = []
    with file.open("rb") as saved, suppress(FlowReadException):
        found.extend(each for each in FlowReader(saved).stream() if isinstance(each, http.HTTPFlow))
    return found


def told(asked: dict[str, list[SeenRequest]]) -> str:
    """Everything upstream was told."""
    requests = [each for several in asked.values() for each in several]
    return "".join(part for each in requests for part in (each.path, str(each.headers), str(each.body)))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, confdir: Path) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("replays")
    file = folder / "recorded.flow"
    with StandIn() as upstream:
        accounts = [upstream.add_account(f"acc-{number}") for number in (1, 2)]
        own = upstream.add_account("acc-own")
        fill(folder / "rotate", accounts, folder)
        (folder / "empty").mkdir(mode=0o700)
        headers = {
            "authorization": f"Bearer {own.access_token}",
            "chatgpt-account-id": own.account_id,
            "content-type": "application/json",
            "thread-id": "thread-1",
            "cookie": "session=Zq01x7Kd",
            "x-note": f"token={PLANTED}",
        }
        by_key = {**headers, "authorization": f"Bearer {PLANTED}"}
        flags = ("-w", str(file), *options(allow_hosts=".*"))
        with Proxy(upstream, folder / "rotate", confdir, flags) as proxy:
            with http1(proxy) as client:
                assert turn1(client, headers).completed
                asks = json.loads(ASK) | {"input": [{"role": "user", "content": f"my key is {PLANTED}"}]}
                assert turn1(client, headers, json.dumps(asks).encode()).completed
                client.get(MODELS, headers=headers)
                client.get(CHECK, headers=headers)
                client.post(RESPONSES, headers=by_key, content=ASK)
                client.get(f"https://{API}/v1/things", headers=by_key)
            with http1(proxy) as client:
                client.post(FORM, content=f"password={PLANTED}")
            with http1(proxy) as client:
                client.get(USAGE)
            with Socket(proxy, headers) as socket:
                assert socket.turn().completed
            proxy.stop()
        assert PLANTED.encode() not in file.read_bytes()
        flows = sorted(read(file), key=lambda flow: flow.request.timestamp_start)
        yield Recorded(upstream, accounts, own, folder, confdir, dict(zip(NAMES, flows, strict=True)))


def put_back(flow: http.HTTPFlow, own: Account) -> None:
    flow.request.headers["authorization"] = f"Bearer {own.access_token}"
    flow.request.headers["chatgpt-account-id"] = own.account_id
    for name in ("cookie", "x-note"):
        del flow.request.headers[name]


@pytest.fixture(scope="module")
def played(recorded: Recorded) -> Played:
    """Everything, as it was recorded and edited."""
    flows = {name: recorded.flow(name) for name in NAMES if name != "socket"}
    flows |= {name: recorded.flow(of, change) for name, (of, change) in EDITED.items()}
    flows["put back"] = recorded.flow("own", lambda flow: put_back(flow, recorded.own))
    return recorded.play(flows)


def test_a_turn_is_answered_by_the_pool(played: Played) -> None:
    assert played.served_by("turn") == ["acc-1"]
    turn = played.flows["turn"]
    assert turn.response is not None
    assert b"response.completed" in (turn.response.content or b"")
    assert re.fullmatch(r"acc-1 200, \d+\.\d s", turn.comment)


def test_nothing_of_the_client_s_goes_with_it(played: Played) -> None:
    """What is masked in its words is sent as the words that they are now."""
    (seen,) = played.asked["with a key"]
    assert "my key is [token]" in str(seen.body)
    assert "x-note" not in dict(seen.headers)
    assert "session" not in seen.cookies  # those of the edge for this account go along


def test_the_list_of_models_comes_from_the_pool_too(played: Played) -> None:
    assert played.served_by("models") == ["acc-1"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("own", "the header authorization"),
        ("form", "its body"),
        ("api key", "the header authorization"),
        ("other host", "the header authorization"),
        ("turn elsewhere", "the header authorization"),
        ("copied", "the header x-copied"),
        ("in the path", "its path"),
        ("in the body", "its body"),
        ("in the words", "its body"),
    ],
)
def test_what_would_leave_with_a_mark_is_refused(played: Played, name: str, what: str) -> None:
    assert f"in {what} a mark stands where a secret was" in played.why(name)


def test_the_comment_of_a_turn_that_was_not_sent_says_so(played: Played) -> None:
    assert played.flows["in the words"].comment.startswith("nobody was asked")


def test_what_has_no_secret_is_sent_as_it_is(played: Played) -> None:
    (seen,) = played.asked["bare"]
    assert (seen.path, "authorization" in dict(seen.headers)) == (USAGE, False)


def test_a_secret_that_was_put_back_is_sent_and_not_shown(recorded: Recorded, played: Played) -> None:
    assert [each.authorization for each in played.asked["put back"]] == [f"Bearer {recorded.own.access_token}"]
    assert played.flows["put back"].request.headers["authorization"] == MARK


def test_an_upgrade_is_not_played_again(played: Played) -> None:
    assert "WebSocket" in played.why("upgrade")


def test_no_token_is_in_what_is_shown_and_saved(recorded: Recorded, played: Played) -> None:
    secrets = secrets_of([*recorded.accounts, recorded.own])
    assert [each for each in secrets if each.encode() in played.saved or each in played.said] == []


def test_a_socket_that_was_open_is_left_out_by_mitmproxy(recorded: Recorded) -> None:
    found = recorded.play({name: recorded.flow(name) for name in ("socket", "bare")})
    assert found.asked.keys() == {"bare"}
    assert "Can't replay WebSocket flows" in found.said


def test_without_a_pool_it_says_so(recorded: Recorded) -> None:
    """A capture is read anywhere; a turn in it cannot be played there."""
    nothing = recorded.folder / "nothing.flow"
    nothing.touch()
    found = recorded.play({"turn": recorded.flow("turn")}, "-r", str(nothing), *options(keepserving=True), home="empty")
    assert "the pool that would answer it is not open here" in found.why("turn")


def test_marks_do_not_leave_where_nothing_is_masked_any_more(recorded: Recorded) -> None:
    flows = {name: recorded.flow(name) for name in ("turn", "own")}
    found = recorded.play(flows, *options(rotate_redact=False))
    assert found.served_by("turn") == ["acc-1"]
    assert "the header authorization" in found.why("own")


def test_it_takes_the_way_to_the_internet_that_all_take(recorded: Recorded) -> None:
    upstream = recorded.upstream
    settings = recorded.folder / "rotate" / "config.toml"
    with Corporate({443: upstream.port, 80: upstream.plain_port}, "ann", "right") as company:
        settings.write_text(f'upstream_proxy = "{company.url("ann", "right")}"\n')
        try:
            found = recorded.play({"turn": recorded.flow("turn")}, kind=Behind)
        finally:
            settings.unlink()
        assert found.served_by("turn") == ["acc-1"]
        assert [each.target for each in company.asked] == ["chatgpt.com:443"]


def test_it_rotates_like_any_other(recorded: Recorded) -> None:
    """The last one: an account rests after it."""
    recorded.upstream.fault("acc-1", Fault(FaultKind.SERVER_ERROR), times=1)
    found = recorded.play({"turn": recorded.flow("turn")})
    assert found.served_by("turn") == ["acc-1", "acc-2"]
    assert found.flows["turn"].comment.startswith("acc-1 500 server error → acc-2 200")
    assert found.flows["turn"].marked == ":twisted_rightwards_arrows:"
