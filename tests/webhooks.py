"""A webhook of one's own on loopback, which verifies what it is sent as docs/how-to/notify.md says."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from tests.harness import PATIENCE, eventually

SECRET: Final = "a secret that only the webhook knows"


@dataclass(frozen=True)
class Posted:
    """What came: the head's fields in lower case, and the body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Webhook:
    """Answers with these statuses, the last one again and again. With `hangs` it reads and never answers."""

    statuses: Sequence[int] = (204,)
    hangs: bool = False
    posted: list[Posted] = field(default_factory=list)

    def __enter__(self) -> Self:
        hook, self._over = self, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                number = len(hook.posted)
                headers = {name.lower(): value for name, value in self.headers.items()}
                hook.posted.append(Posted(self.path, headers, body))
                if hook.hangs:
                    hook._over.wait(PATIENCE)
                    return
                self.send_response(hook.statuses[min(number, len(hook.statuses) - 1)])
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hooks/a-path-that-is-a-secret"

    @property
    def events(self) -> list[str]:
        return [each.told["event"] for each in self.posted]

    def wait_for(self, number: int) -> list[Posted]:
        """The first ones that came; AssertionError when that many do not come in time."""
        assert eventually(lambda: len(self.posted) >= number), self.events
        return self.posted[:number]
