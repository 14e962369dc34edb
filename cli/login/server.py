"""Where the browser comes back to after a login: one address on loopback, for as long as the login takes.

It answers GET /auth/callback under its own name only, so that a page of somebody else's cannot reach it by another
name that leads to loopback, and it writes nothing down: the query holds the code.
"""

import html
import os
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from accounts.errors import BadCallback, LoginFailed, LoginRefused, LoginTimedOut, PortsBusy
from accounts.logins import oauth_login

LOOPBACK: Final = "127.0.0.1"
CALLBACK: Final = "/auth/callback"
REQUEST_SECONDS: Final = 10.0
_SLICE: Final = 1.0
"""Seconds; on Windows a wait is deaf to Ctrl-C until it is over."""

_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 1.1rem/1.6 system-ui, sans-serif }}
body {{ margin: 20vh auto; max-width: 34rem; padding: 0 1.5rem }}
</style></head><body><h1>{title}</h1><p>{text}</p></body></html>
"""


def page(title: str, text: str) -> str:
    """A page that stands on its own: nothing is loaded from anywhere, and everything said is text."""
    return _PAGE.format(title=html.escape(title), text=html.escape(text))


class CallbackServer:
    """Listens on the first free port while the context lasts. Raises PortsBusy when there is none."""

    def __init__(self, ports: Sequence[int], state: str) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._outcome: str | LoginFailed | None = None
        self._arrived = threading.Event()
        self._server = _listen(ports, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="login", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def redirect_uri(self) -> str:
        """What the provider is told to send the browser back to."""
        return oauth_login.redirect_uri(self.port)

    def wait(self, seconds: float) -> str:
        """The code of the first callback that answers this login. Raises LoginRefused or LoginTimedOut."""
        left = seconds
        while not self._arrived.wait(min(left, _SLICE)):
            left -= _SLICE
            if left <= 0:
                raise LoginTimedOut(seconds)
        if isinstance(self._outcome, LoginFailed):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome

    def take(self, query: str) -> tuple[int, str]:
        """Status and page for a callback. Only one that answers this login ends the wait, and only the first."""
        outcome: str | LoginFailed
        try:
            outcome = oauth_login.read_callback(query, self._state)
            answer = 200, page("Signed in", "You can close this page. The terminal says how it went on.")
        except LoginRefused as e:
            outcome = e
            answer = 200, page("Not signed in", str(e))
        except BadCallback as e:
            return 400, page("Not signed in", str(e))
        with self._lock:
            if self._outcome is not None:
                return 409, page("Already answered", "This login has had its answer. You can close this page.")
            self._outcome = outcome
        return answer

    def answered(self) -> None:
        """The browser has its page: whoever waits may go on."""
        if self._outcome is not None:
            self._arrived.set()


class _Listener(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two programs have the same port
    allow_reuse_port = False

    def __init__(self, port: int, owner: CallbackServer) -> None:
        self.owner = owner
        super().__init__((LOOPBACK, port), _Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that leaves half-way is nobody's trouble, and a traceback could show the query."""


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        port = self.server.port
        if self.headers.get_all("Host", []) not in ([f"{LOOPBACK}:{port}"], [f"localhost:{port}"]):
            self._send(403, page("Not here", "This address is for a login on this machine only."))
            return
        target = urlsplit(self.path) if self.path.startswith("/") else None
        if target is None or target.path != CALLBACK:
            self._send(404, page("Nothing here", "There is nothing but the end of a login."))
            return
        status, text = self.server.owner.take(target.query)
        try:
            self._send(status, text)
        finally:
            self.server.owner.answered()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library refuses; its own page would repeat the request."""
        self.close_connection = True
        self._send(code, page("Not understood", "This address only takes the end of a login."))

    def version_string(self) -> str:
        return "codex-rotate"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing: the request line holds the code."""

    def _send(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _listen(ports: Sequence[int], owner: CallbackServer) -> _Listener:
    for port in ports:
        try:
            return _Listener(port, owner)
        except OSError:  # somebody else has it, or may have it only
            continue
    raise PortsBusy(ports)
