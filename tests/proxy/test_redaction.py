"""Thirty secrets, each in another place where a client or the provider can put one, are in nothing that can be seen.

Looked through: the saved flows, the HAR file, every export and every content view of each flow, what is printed at the
highest detail, the error pages of other requests, the pool's history.
"""

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import zstandard
from wsproto.events import Ping

from accounts.logins.auth_file import read_auth_file
from accounts.store.store import Store
from standin import Account, Fault, FaultKind, StandIn
from standin.accounts import Window
from tests.harness import Proxy, options, write_login
from tests.proxy.clients import ASK, RESPONSES, Http2, Socket, http1, secure, tunnel, turn1

HEAD = "eyJhbGciOiJSUzI1NiJ9" + ".eyJzdWIiOiJub2JvZHkifQ."
BROKEN = f"{RESPONSES}/compact"
ONLOOKER = Path(__file__).with_name("onlooker.py")


@dataclass
class Planted:
    """What was planted where; what is searched for is the part that is like no other."""

    cores: dict[str, str] = field(default_factory=dict)

    def _core(self, place: str) -> str:
        core = f"Zq{len(self.cores):02d}{'x7Kd' * 4}"
        self.cores[place] = core
        return core

    def token(self, place: str) -> str:
        return f"{HEAD}{self._core(place)}"

    def key(self, place: str) -> str:
        return f"sk-{self._core(place)}"

    def mail(self, place: str) -> str:
        return f"{self._core(place)}@example.com"

    def word(self, place: str) -> str:
        return self._core(place)


@dataclass
class Seen:
    planted: Planted
    upstream: bytes
    """Everything upstream was told."""
    client: bytes
    """Everything the client was told."""
    places: dict[str, bytes]
    """Everything that can be looked at."""


def ask(content: str, **more: object) -> bytes:
    return json.dumps(
        {**json.loads(ASK), "input": [{"type": "message", "role": "user", "content": content}], **more}
    ).encode()


def over_http(proxy: Proxy, planted: Planted, own: dict[str, str]) -> list[bytes]:
    """Requests of the pool and of the client's own; what came back."""
    headers = {
        **own,
        "authorization": f"Bearer {planted.token('authorization')}",
        "cookie": f"a=1; session={planted.word('cookie')}",
        "x-api-key": planted.word("x-api-key"),
        "openai-organization": planted.word("openai-organization"),
        "x-openai-agent-assertion": planted.word("agent assertion"),
        "referer": f"https://chatgpt.com/?access_token={planted.word('query of the referer')}",
        "user-agent": f"tool/1 ({planted.mail('user agent')})",
        "x-forwarded-authorization": f"Bearer {planted.word('bearer in an unknown header')}",
        "x-note": planted.token("token in an unknown header"),
    }
    prompt = "\n".join(
        [
            f"ask {planted.mail('e-mail in the prompt')}",
            f"log in with {planted.token('token in the prompt')}",
            f"OPENAI_API_KEY={planted.key('key in the prompt')}",
            f"curl -H 'cookie: s={planted.word('cookie in the prompt')}'",
            f"curl -H 'Authorization: Basic {planted.word('basic in the prompt')}='",
            json.dumps({"refresh_token": planted.word("escaped JSON in the prompt")}),
            f"my id is {own['chatgpt-account-id']}, theirs {planted.cores['id of account 1']}",
            *(f"mine: {planted.cores[f'e-mail of account {number}']}@example.com" for number in (0, 1)),
        ]
    )
    query = f"?token={planted.word('query')}&mail={planted.mail('query, e-mail').replace('@', '%40')}"
    said = []
    with http1(proxy) as client, Http2(proxy) as other:
        packed = zstandard.compress(ask(prompt, metadata={"password": planted.word("password")}))
        for coding, body in (("zstd", packed), ("gzip", gzip.compress(ask(planted.mail("gzip"))))):
            said.append(bytes(turn1(client, {**headers, "content-encoding": coding}, body).body))
        said.append(bytes(other.turn({**headers, "content-type": "application/json"}, ask(prompt)).body))
        said.append(client.post(RESPONSES + query, headers=own, content=ASK).content)
        path = f"/backend-api/accounts/{own['chatgpt-account-id']}/invites"
        form = {"password": planted.word("form"), "email": planted.mail("form, e-mail")}
        said.append(client.post(path, headers=headers, data=form).content)
        said.append(client.get("/backend-api/wham/accounts/check", headers=own).content)
        said += [
            client.post(BROKEN, headers=own, content=ASK).content,
            other.answer(other.ask({**own}, path=BROKEN)).body,
        ]
        said.append(client.get(f"/backend-api/wham/usage{query}", headers=own).content)
    return said


def malformed(proxy: Proxy, planted: Planted) -> bytes:
    """What is no HTTP is quoted by mitmproxy, in its log and in its answer to whoever has sent it."""
    with secure(tunnel(proxy, "chatgpt.com"), proxy.trust(), "chatgpt.com") as raw:
        raw.sendall(f"GET / HTTP/1.1\r\nAuthorization Bearer {planted.word('malformed header')}\r\n\r\n".encode())
        answer = b""
        with suppress(OSError):
            while chunk := raw.recv(65536):
                answer += chunk
    return answer


def over_websocket(proxy: Proxy, planted: Planted, own: dict[str, str]) -> list[bytes]:
    headers = {**own, "cookie": planted.word("cookie of an upgrade"), "x-note": planted.token("header of an upgrade")}
    with Socket(proxy, headers) as socket:
        assert socket.upgrade.status == 101
        socket._send(Ping(f"token={planted.word('ping')}".encode()))
        words = f"{planted.mail('message')} and {planted.token('token in a message')} of {own['chatgpt-account-id']}"
        answer = socket.turn(input=[{"type": "message", "role": "user", "content": words}])
    assert answer.completed
    return [json.dumps(answer.messages).encode()]


def fill(home: Path, accounts: list[Account], folder: Path) -> None:
    """A pool whose accounts are not named after what is to be masked."""
    home.mkdir(mode=0o700)
    with Store(home / "pool.db") as store:
        for number, account in enumerate(accounts):
            login = read_auth_file(write_login(account, folder / f"{number}.json"))
            seat = replace(login.account, label=f"seat{number}", added_at=float(number), priority=-number)
            store.put_account(seat, login.credentials).result()


@pytest.fixture(scope="module", params=[True, False], ids=["redacted", "rotate_redact=false"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, confdir: Path) -> Iterator[Seen]:
    folder, planted = tmp_path_factory.mktemp("redaction"), Planted()
    files = {name: folder / name for name in ("flows", "flows.har", "onlooker")}
    flags = [
        *options(flow_detail=4, rotate_redact=request.param, hardump=files["flows.har"]),
        *("-v", "-w", str(files["flows"])),
    ]
    with StandIn() as upstream:
        accounts = [
            upstream.add_account(
                planted.word(f"id of account {number}"), email=planted.mail(f"e-mail of account {number}")
            )
            for number in (0, 1)
        ]
        mine = upstream.add_account(planted.word("the client's own id"), email=planted.mail("the client's own e-mail"))
        accounts[1].answer = f"Ask {planted.mail('answer')} or use {planted.token('token in an answer')}."
        detail = f"{accounts[0].account_id} of {planted.mail('refusal')} is over its limit"
        upstream.fault(accounts[0].account_id, Fault(FaultKind.USAGE_LIMIT, message=detail, resets_in=3600))
        refused = f"the prompt of {planted.mail('refusal that is passed on')} is too long"
        upstream.fault(accounts[1].account_id, Fault(FaultKind.BAD_REQUEST, message=refused, path=BROKEN))
        accounts[0].primary = Window(used_percent=99.0, minutes=300, resets_in=3600)
        fill(folder / "rotate", accounts, folder)
        own = {"authorization": f"Bearer {mine.access_token}", "chatgpt-account-id": mine.account_id}
        env = {"ONLOOKER": str(files["onlooker"])}
        with Proxy(upstream, folder / "rotate", confdir, flags, [ONLOOKER], env) as proxy:
            said = [*over_http(proxy, planted, own), *over_websocket(proxy, planted, own), malformed(proxy, planted)]
            places = {"output": proxy.stop().encode()}
        with Store(folder / "rotate" / "pool.db") as store:
            places["history"] = "\n".join(f"{each.thread} {each.detail}" for each in store.events(1000)).encode()
        told = [
            part
            for each in upstream.requests
            for part in (each.path, str(each.headers), str(each.body), str(each.messages))
        ]
        places |= {name: file.read_bytes() for name, file in files.items()}
        yield Seen(planted, "".join(told).encode(), b"".join(said), places)


def test_there_are_thirty_of_them(seen: Seen):
    assert len(seen.planted.cores) >= 30
    assert all(seen.places.values()), "every place has something to look through"


def test_none_is_in_what_can_be_looked_at(seen: Seen, request: pytest.FixtureRequest):
    found = [
        (place, what)
        for what, core in seen.planted.cores.items()
        for place, text in seen.places.items()
        if core.encode() in text
    ]
    if "rotate_redact=false" in request.node.name:
        # the control: what a search does not find here, it would find nowhere
        shown = {what for place, what in found if place in {"flows", "onlooker", "output"}}
        assert shown == set(seen.planted.cores)
    else:
        assert found == []


def test_the_wire_has_them_all_the_same(seen: Seen):
    """Masking is for those who look on: upstream and the client get everything."""
    sent = (
        "user agent",
        "query",
        "query, e-mail",
        "token in an unknown header",
        "message",
        "token in a message",
        "form",
    )
    assert [what for what in sent if seen.planted.cores[what].encode() not in seen.upstream] == []
    heard = (
        "answer",
        "token in an answer",
        "refusal that is passed on",
        "the client's own e-mail",
        "the client's own id",
    )
    assert [what for what in heard if seen.planted.cores[what].encode() not in seen.client] == []


def test_bodies_stay_readable(seen: Seen, request: pytest.FixtureRequest):
    if "rotate_redact=false" not in request.node.name:
        assert b"ask [e-mail]\\nlog in with [token]" in seen.places["onlooker"]
        assert b"my id is [account id], theirs [account id]" in seen.places["onlooker"]
        assert b"is over its limit" in seen.places["onlooker"]
