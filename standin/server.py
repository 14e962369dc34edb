"""The stand-in's life: a daemon thread with its own event loop, and the thread-safe door tests and the demo use."""

import asyncio
import contextlib
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from config import clock as system_clock
from standin.accounts import Account, AccountDetails
from standin.certificates import make_server_context
from standin.faults import TOKEN_PATH, Fault
from standin.model import Attempt, Item, Violation
from standin.model.history_check import violations
from standin.pace import Pace
from standin.records import SeenRequest
from standin.routes import Router
from standin.state import Refresh, State
from standin.wire.http1 import Http1Server
from standin.wire.http2 import Http2Server
from standin.wire.link import Link

LOOPBACK = "127.0.0.1"
_START_SECONDS = 10.0


class StandIn:
    """A stand-in OpenAI on loopback. Use it as a context manager, or call `start` and `close`.

    Every method may be called from any thread. `clock` gives seconds since the epoch, for expiries and reset times.
    Without `http2` only HTTP/1.1 is spoken. `pace` is how slowly every account answers until something else is said.
    `by_hand`: no pause of a pace or a fault passes by itself, but by `pass_time`. `strict`: see there.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = system_clock.now,
        http2: bool = True,
        pace: Pace | None = None,
        by_hand: bool = False,
        strict: bool = False,
    ) -> None:
        self._http2 = http2
        self._state = State(clock, pace, by_hand=by_hand)
        self.strict = strict
        self._router = Router(self._state)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._closing = threading.Event()
        self._connections = 0
        self._sockets: set[socket.socket] = set()

    # life

    def start(self) -> Self:
        """Bind both listeners, make the certificates and serve."""
        self._folder = Path(tempfile.mkdtemp(prefix="standin-"))
        self.ca_file, context = make_server_context(self._folder, self._state.clock(), http2=self._http2)
        tls, plain = (socket.create_server((LOOPBACK, 0), backlog=4096) for _ in range(2))
        self.port: int = tls.getsockname()[1]
        self.plain_port: int = plain.getsockname()[1]
        serving = threading.Event()
        main = self._main({tls: context, plain: None}, serving)
        self._thread = threading.Thread(target=asyncio.run, args=(main,), name="standin", daemon=True)
        self._thread.start()
        if not serving.wait(_START_SECONDS):
            raise RuntimeError("the stand-in's thread did not start; see its traceback above.")
        return self

    def close(self) -> None:
        """Drop every connection, stop the thread and remove the certificates."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._closing.set()
        self._loop.call_soon_threadsafe(self._stop.set)
        for port in (self.port, self.plain_port):
            with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
                pass  # a knock, to end the listeners' waiting
        self._thread.join()
        self._thread = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None and self.errors:
            raise ExceptionGroup("the stand-in failed", [one for one in self.errors if isinstance(one, Exception)])

    # where

    @property
    def address(self) -> tuple[str, int]:
        """Where the TLS listener is."""
        return LOOPBACK, self.port

    @property
    def base_url(self) -> str:
        """The backend on the plain listener."""
        return f"http://{LOOPBACK}:{self.plain_port}/backend-api"

    @property
    def token_url(self) -> str:
        """The token endpoint on the plain listener."""
        return f"http://{LOOPBACK}:{self.plain_port}{TOKEN_PATH}"

    # what it answers

    def add_account(self, account_id: str, **details: Unpack[AccountDetails]) -> Account:
        """A new account with its first tokens. Two seats may share an account id if their user ids differ."""
        return self._state.add_account(account_id, details)

    def fault(self, account: str, fault: Fault, times: int | None = None, *, seconds: float | None = None) -> None:
        """Let a fault strike an account's requests, until cleared or `times` times, and for `seconds` at most.

        `account` is an account id, `account_id:user_id`, or `*` for every account. Counted faults strike first, in the
        order they were set; a lasting one replaces the lasting one set before for the same account and path.
        """
        self._state.set_fault(account, fault, times, seconds)

    def clear(self, account: str | None = None) -> None:
        """Forget the faults set for this name, or all faults."""
        self._state.clear(account)

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """The counted faults that have still somebody to strike, in the order in which they do."""
        return self._state.waiting

    def answer_with(self, account: str, text: str) -> None:
        """What the model says on this account from now on."""
        with self._state.changed:
            for one in self._state.find(account):
                one.answer = text

    def answers(self, account: str, *answers: Sequence[Item]) -> None:
        """The next answers of an account, in order, as their items; then it answers as usual. What dies is used up."""
        with self._state.changed:
            for one in self._state.find(account):
                self._state.says.script.answers(one.identity.key, answers)

    def plays(self, *steps: Sequence[Item]) -> None:
        """How every turn goes from now on, whoever is asked: the items of its first answer, those of the answer after
        the client has run its calls, and so on. An account that is asked to go on says what has not been said yet."""
        with self._state.changed:
            self._state.says.script.plays(steps)

    def pace(self, account: str, pace: Pace) -> None:
        """How slowly an account answers from now on; for `*`, every account, whatever was said of some before."""
        self._state.set_pace(account, pace)

    def lists(self, account: str, *models: str) -> None:
        """Which models an account lists from now on; its answers say so in `x-models-etag`."""
        with self._state.changed:
            for one in self._state.find(account):
                self._state.catalogues[one.identity.key] = models

    def pass_time(self, seconds: float) -> None:
        """Let time pass for all pauses, where it passes by hand."""
        assert self._loop is not None, "the stand-in is not running"
        self._loop.call_soon_threadsafe(self._state.tempo.advance, seconds)

    @property
    def pausing(self) -> int:
        """How many pauses wait for time that passes by hand."""
        return self._state.tempo.pausing

    def open_feeds(self) -> None:
        """From now on `POST /backend-api/ps/mcp` is answered with an event stream that goes on until `end_feeds`."""
        self._state.feeding = True

    def say(self, event: dict[str, Any]) -> None:
        """Send an event, which has a `type`, to every open feed."""
        assert self._loop is not None, "the stand-in is not running"
        self._loop.call_soon_threadsafe(self._state.say, event)

    def end_feeds(self) -> None:
        """End every open feed properly."""
        assert self._loop is not None, "the stand-in is not running"
        self._loop.call_soon_threadsafe(self._state.say, None)

    @property
    def seal_reasoning(self) -> bool:
        """Whether answers carry reasoning items bound to the account. Other accounts then refuse them, over HTTP and in
        a socket, and the items that compacted a thread as well."""
        return self._state.seal_reasoning

    @seal_reasoning.setter
    def seal_reasoning(self, on: bool) -> None:
        with self._state.changed:
            self._state.seal_reasoning = on

    @property
    def strict(self) -> bool:
        """Whether a history that cannot have come about is a 400, and among `violations`."""
        return self._state.says.strict

    @strict.setter
    def strict(self, on: bool) -> None:
        with self._state.changed:
            self._state.says.strict = on

    def release(self) -> None:
        """Let every request and message that has arrived and is being held go on."""
        assert self._loop is not None, "the stand-in is not running"
        self._state.release(self._loop)

    def login_as(self, account: str) -> None:
        """Who is at the browser: whom `/oauth/authorize` logs in from now on."""
        with self._state.changed:
            self._state.logins.who = self._state.find(account)[0].identity.key

    def approve_device(self, account: str) -> None:
        """Approve one device login, running or next, for this account."""
        with self._state.changed:
            self._state.logins.device = self._state.find(account)[0].identity.key

    @property
    def device_interval(self) -> int:
        """The device login's poll interval in seconds."""
        return self._state.logins.interval

    @device_interval.setter
    def device_interval(self, seconds: int) -> None:
        self._state.logins.interval = seconds

    # what it saw

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """Every request so far in the order of arrival, as it is now."""
        with self._state.changed:
            return tuple(record.snapshot() for record in self._state.records)

    def requests_to(self, path: str) -> tuple[SeenRequest, ...]:
        """The requests to one path, whatever their query."""
        return tuple(seen for seen in self.requests if seen.path.partition("?")[0] == path)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every request to the model that was looked at, in the order they came: warm-ups among them."""
        with self._state.changed:
            every = [attempt for record in self._state.records for attempt in record.attempts]
        return tuple(sorted(every, key=lambda attempt: attempt.number))

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What was wrong with the histories that were refused for it, see `strict`."""
        with self._state.changed:
            return tuple(self._state.says.violations)

    def objections(self, history: Sequence[dict[str, Any]]) -> list[Violation]:
        """What is wrong with a history that the client keeps somewhere: see `history_check`."""
        with self._state.changed:
            return violations(history, self._state.says.book)

    @property
    def refreshes(self) -> tuple[Refresh, ...]:
        """Every use of the token endpoint with a refresh token."""
        with self._state.changed:
            return tuple(self._state.refreshes)

    @property
    def reused_refresh_tokens(self) -> int:
        """How many times a refresh token was used again after it had worked."""
        return self._state.ledger.reused

    def grant_grace(self, seconds: float) -> None:
        """From now on a refresh token that was used gives the same tokens again, for so long."""
        with self._state.changed:
            self._state.ledger.grace = seconds

    @property
    def most_sendings(self) -> int:
        """How often the refresh token has arrived that arrived most often."""
        with self._state.changed:
            return max((token.sendings for token in self._state.ledger.refresh.values()), default=0)

    @property
    def errors(self) -> tuple[BaseException, ...]:
        """Bugs of the stand-in itself; leaving the context raises them."""
        return tuple(self._state.errors)

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted so far."""
        return self._connections

    def wait_for(self, condition: Callable[[], object], seconds: float = 5.0) -> bool:
        """Wait until a condition holds, looking again at every change here; TimeoutError if it does not in time."""
        with self._state.changed:
            if self._state.changed.wait_for(condition, timeout=seconds):
                return True
        lines = "\n".join(f"  {seen!r}" for seen in self.requests) or "  none"
        raise TimeoutError(f"the condition did not hold within {seconds:g} s; requests so far:\n{lines}")

    # the loop's side

    async def _main(self, listeners: dict[socket.socket, ssl.SSLContext | None], serving: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for listener, context in listeners.items():
                group.create_task(self._accept(listener, context, group))
            serving.set()
            await self._stop.wait()
            # not cancelled: a task that is cancelled while it takes a socket over may lose it; the end of its bytes
            # ends whatever a connection is doing
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for listener in listeners:
            listener.close()
        for _ in range(3):
            await asyncio.sleep(0)  # transports close their sockets one turn of the loop after they are dropped

    async def _accept(self, listener: socket.socket, context: ssl.SSLContext | None, group: asyncio.TaskGroup) -> None:
        listener.setblocking(False)
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            if self._closing.is_set():
                sock.close()
                return
            self._connections += 1
            self._sockets.add(sock)
            group.create_task(self._serve(self._connections, sock, context))

    async def _serve(self, number: int, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        try:
            link = await Link.open(number, sock, context)
        except OSError:
            self._sockets.discard(sock)
            sock.close()
            return  # a peer that does not trust us, or was never serious
        try:
            server = Http2Server if link.alpn == "h2" else Http1Server
            await server(link, self._router.handle).run()
        except OSError:
            pass  # the peer left
        except Exception as error:  # noqa: BLE001 - kept for whoever runs the stand-in; the others go on
            self._state.errors.append(error)
        finally:
            self._sockets.discard(sock)
            link.abort()
