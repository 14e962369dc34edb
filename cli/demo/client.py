"""A client for the demo where the official one is not wanted or not there: the same requests, byte for byte of what
matters.

Over HTTP it sends what `codex exec` sends: a zstd body, the thread's headers, the home login's credentials
(docs/codex-wire.md sections 2 and 9), and reads the events as they come. Over a WebSocket (section 1.2) the credentials
are in the upgrade, the body and the events in messages.

`python -m cli.demo.client PROMPT` takes one turn where the environment leads it, as the official client would: for the
tutorial, under `codex-rotate run`.
"""

import json
import os
import ssl
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from accounts.requests.identity import CACHE_KEY, SESSION, THREAD
from addons.wire import events as wire_events
from cli.running.processes import Finished
from config import paths
from config.provider import PROVIDER

if TYPE_CHECKING:
    from wsproto import WSConnection

SECONDS: Final = 60.0
"""For each read."""
HOST: Final = PROVIDER.host
PATH: Final = PROVIDER.responses_path


def ask(proxy: str, ca_file: Path, auth: Mapping[str, object], prompt: str) -> Finished:
    """One turn through the proxy, over HTTP. `auth` is the home login in the shape of auth.json."""
    import httpx
    import zstandard

    thread = str(uuid.uuid4())
    headers = _headers(auth, thread) | {
        "accept": "text/event-stream",
        "content-type": "application/json",
        "content-encoding": "zstd",
    }
    packed = zstandard.ZstdCompressor().compress(json.dumps(_body(prompt, thread)).encode())
    with (
        httpx.Client(proxy=proxy, verify=_trust(ca_file), timeout=SECONDS, trust_env=False) as client,
        client.stream("POST", f"https://{HOST}{PATH}", headers=headers, content=packed) as answer,
    ):
        if answer.status_code != 200:
            answer.read()
            return Finished(1, "", answer.text)
        return Finished(0, "".join(_texts(_events(answer.iter_lines()))), "")


def ask_by_socket(proxy: str, ca_file: Path, auth: Mapping[str, object], prompt: str) -> Finished:
    """The same over a WebSocket. An upgrade that is refused is told with its status."""
    from http.client import HTTPSConnection
    from urllib.parse import urlsplit

    from wsproto import ConnectionType, WSConnection
    from wsproto.events import Request, TextMessage
    from wsproto.extensions import PerMessageDeflate

    at = urlsplit(proxy)
    thread = str(uuid.uuid4())
    tunnel = HTTPSConnection(at.hostname or "", at.port, timeout=SECONDS, context=_trust(ca_file))
    tunnel.set_tunnel(HOST, 443)
    tunnel.connect()
    connection: ssl.SSLSocket = tunnel.sock
    with connection:
        wire = WSConnection(ConnectionType.CLIENT)
        extra = [(name.encode(), value.encode()) for name, value in _headers(auth, thread).items()]
        connection.sendall(wire.send(Request(HOST, PATH, extensions=[PerMessageDeflate()], extra_headers=extra)))
        said: list[Any] = []
        for event in _heard(connection, wire):
            if event is None:
                message = {"type": wire_events.CREATE, **_body(prompt, thread)}
                connection.sendall(wire.send(TextMessage(json.dumps(message))))
                continue
            said.append(event)
            if wire_events.ends(event.get("type", "")):
                break
    good = bool(said) and said[-1].get("type") == wire_events.COMPLETED
    return Finished(0, "".join(_texts(said)), "") if good else Finished(1, "", json.dumps(said[-1:]))


def _headers(auth: Mapping[str, object], thread: str) -> dict[str, str]:
    tokens = auth["tokens"]
    assert isinstance(tokens, dict)
    return {
        "authorization": f"Bearer {tokens['access_token']}",
        "chatgpt-account-id": str(tokens["account_id"]),
        "originator": "codex_exec",
        SESSION: thread,
        THREAD: thread,
    }


def _body(prompt: str, thread: str) -> dict[str, object]:
    return {
        "model": "gpt-5-codex",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}],
        "stream": True,
        "store": False,
        CACHE_KEY: thread,
    }


def _trust(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file))


def _heard(connection: ssl.SSLSocket, wire: "WSConnection") -> Iterator[Any]:
    """None once the socket is open, then each message; a refusal is a message that says its status."""
    from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, TextMessage

    text = ""
    while data := connection.recv(65536):
        wire.receive_data(data)
        for event in wire.events():
            match event:
                case AcceptConnection():
                    yield None
                case RejectConnection():
                    yield {"type": wire_events.ERROR, "status": event.status_code}
                case TextMessage():
                    text += event.data
                    if event.message_finished:
                        yield json.loads(text)
                        text = ""
                case CloseConnection():
                    return


def _events(lines: Iterable[str]) -> Iterator[Any]:
    return (json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:"))


def _texts(events: Iterable[Any]) -> list[str]:
    """The text of an answer, delta by delta."""
    return [event["delta"] for event in events if event.get("type") == wire_events.TEXT_DELTA]


def main() -> int:
    """One turn over HTTP with the login in CODEX_HOME; what was answered, and the exit code."""
    try:
        proxy, ca_file, prompt = os.environ["HTTPS_PROXY"], os.environ["CODEX_CA_CERTIFICATE"], sys.argv[1]
    except LookupError:
        raise SystemExit("Usage: codex-rotate run -- python -m cli.demo.client PROMPT") from None
    login = json.loads(paths.codex_auth_file().read_text("utf-8"))
    done = ask(proxy, Path(ca_file), login, prompt)
    sys.stdout.write(f"{done.out or done.err}\n")
    return done.code or 0


if __name__ == "__main__":
    sys.exit(main())
