"""The proxies that run on this machine: found, asked, started, and kept alive while a client of ours needs one."""

import hmac
import http.client
import os
import re
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote, urlsplit

from accounts.people.keys import NOBODY
from accounts.store.schema import explained
from cli.running import processes
from config import clock, paths, private_socket, proxy_files
from config.errors import RotateError
from config.network.proxy_address import basic
from config.proxy_files import ProxyInfo

ASK_SECONDS: Final = 3.0
START_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.05
UNUSED_SECONDS: Final = 5
"""How long a proxy that `run` has started stays when the last client is gone; the next one finds it running."""
CLOSE_SECONDS: Final = 2.0
LOGS_KEPT: Final = 5
REALM: Final = '"codex-rotate"'
"""In what a proxy of ours refuses with (addons/exchange/answering/refusals.py)."""
ENDING_SECONDS: Final = 1.0
"""What a process needs to be gone once its connections are."""
STAMP: Final = re.compile(r"^\[\d\d:\d\d:\d\d\.\d+\](\[[^\]]*\])?\s?")
NOISE: Final = re.compile(
    r"^(Traceback|During handling of|The above exception|Exception ignored|Task was destroyed|Task exception was never|"
    r"task: <|future: <|protocol: <|transport: <|source_traceback|sys:1: |<sys>:0: |object address|object repr|"
    r"Errors? logged during startup)|Warning: |never awaited|codex-rotate: waiting for "
)


class ProxyDidNotStart(RotateError):
    def __init__(self, log: Path, said: Sequence[str]) -> None:
        words = " / ".join(said) or "nothing"
        super().__init__(
            f"The proxy did not start. Its last words: {words}. Mend that and try again; the log is {log}."
        )


class ProxiesBusy(RotateError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another `codex-rotate run` has been starting a proxy for more than {START_SECONDS:.0f} s (lock in "
            f"{folder}). Try again, and end that process if it hangs."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyAnswer:
    """What came back from an address: the proxy of ours that is there, or the status of something else (0: nothing).
    `refused`: it is a codex-rotate, and does not serve us. `unproven`: it says that it is ours, without a proof."""

    presence: ProxyInfo | None = None
    status: int = 0
    refused: bool = False
    unproven: bool = False


def ask(url: str, key: str = "") -> ProxyAnswer:
    """What listens at http://HOST:PORT, with a client key if there is one. Silence for ASK_SECONDS is no answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=ASK_SECONDS)
    headers = {"proxy-authorization": basic(NOBODY, key)} if key else {}
    with closing(connection):
        try:
            connection.request("GET", f"http://{proxy_files.HOST}/", headers=headers)
            answer = connection.getresponse()
            told = answer.read(64 * 1024)
        except (OSError, http.client.HTTPException, ValueError):
            return ProxyAnswer()
    refused = answer.status == 407 and answer.headers.get("proxy-authenticate", "").endswith(REALM)
    presence = proxy_files.from_json(told) if answer.status == 200 else None
    return ProxyAnswer(presence=presence, status=answer.status or 1, refused=refused)


def ask_own(url: str, environ: Mapping[str, str] = os.environ) -> ProxyAnswer:
    """The same of a proxy of our own, at an address of this machine. Our key is told only to one that proves to be it;
    what only says so is not believed."""
    secret, key = proxy_files.proof_key(proxy_files.folder(environ)), local_key(environ)
    told = from_socket(url, key, environ)
    if told is not None:
        return ProxyAnswer(presence=told, status=200)
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=ASK_SECONDS)
    with closing(connection):
        try:
            connection.connect()
            connection.auto_open = 0  # whoever has proven it is told the key, and nobody behind it
            first, proven = _asked(connection, {}, secret)
            if proven and first.refused and key:
                return _asked(connection, {"proxy-authorization": basic(NOBODY, key)}, secret)[0]
        except (OSError, http.client.HTTPException, ValueError):
            return ProxyAnswer()
    told = first.presence
    if told is not None and Path(told.home) == paths.home(environ) and not proven and (secret or key):
        return ProxyAnswer(status=first.status, unproven=True)
    return replace(first, unproven=first.refused and not proven)


def from_socket(url: str, key: str, environ: Mapping[str, str]) -> ProxyInfo | None:
    """What a proxy of ours that listens there says on its socket; None where it has none, or none that answers."""
    for left in proxy_files.announced(proxy_files.folder(environ)):
        if left.url == url and left.socket and private_socket.usable():
            with suppress(OSError, ValueError):
                told = proxy_files.from_json(private_socket.ask(Path(left.socket), key.encode()))
                if told is not None and (told.url, told.pid) == (url, left.pid):
                    return told
    return None


def _asked(
    connection: http.client.HTTPConnection, headers: Mapping[str, str], secret: bytes
) -> tuple[ProxyAnswer, bool]:
    """What it says, and whether it has proven that it knows the secret."""
    challenge = secrets.token_hex(16)
    host, port = connection.sock.getpeername()[:2]
    connection.request("GET", f"http://{proxy_files.HOST}/", headers={proxy_files.CHALLENGE: challenge, **headers})
    answer = connection.getresponse()
    told = answer.read(64 * 1024)
    proof = answer.headers.get(proxy_files.PROOF, "")
    proven = bool(secret) and hmac.compare_digest(
        proof.encode(), proxy_files.proof(secret, challenge, host, port).encode()
    )
    refused = answer.status == 407 and answer.headers.get("proxy-authenticate", "").endswith(REALM)
    presence = proxy_files.from_json(told) if answer.status == 200 else None
    return ProxyAnswer(presence=presence, status=answer.status or 1, refused=refused), proven


def listens(port: int) -> bool:
    """Whether anybody does, at this port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=ASK_SECONDS).close()
    except OSError:
        return False
    return True


def place(host: str, port: int) -> str:
    """The URL of a proxy that listens there; one that listens everywhere is found here."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound, but asked
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def address(url: str, key: str = "", account: str = "") -> str:
    """The address as a client is to have it, with its key and the handle of the only account that it wants."""
    if not key and not account:
        return url
    password = f":{quote(key, safe='')}" if key else ""
    return url.replace("://", f"://{quote(account or NOBODY, safe='-')}{password}@", 1)


def keyed(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """The address with the key that clients of the owner use, if one is needed and none is in it."""
    return address(url, local_key(environ))


def local_key(environ: Mapping[str, str] = os.environ) -> str:
    """The key for commands of the pool's owner; "" when this proxy needs none."""
    with suppress(OSError):
        return paths.client_key_file(environ).read_text("utf-8").strip()
    return ""


def running(environ: Mapping[str, str] = os.environ) -> list[ProxyInfo]:
    """The proxies that work with our folder and answer, the newest first."""
    home = paths.home(environ)
    found = []
    for told in proxy_files.announced(proxy_files.folder(environ)):
        answered = ask_own(told.url, environ).presence
        if answered is not None and answered.pid == told.pid and Path(answered.home) == home:
            found.append(answered)
    return found


def unproven(environ: Mapping[str, str] = os.environ) -> list[ProxyInfo]:
    """Those that have left their file in our folder and run, and do not prove to be ours where they listen: proxies of
    a version that could not. What listens there may as well be somebody else's, so that they are told nothing."""
    return [
        told
        for told in proxy_files.announced(proxy_files.folder(environ))
        if told.turns is None and processes.runs(told.pid) and ask_own(told.url, environ).unproven
    ]


def not_proven(told: ProxyInfo) -> str:
    """What that means, in a sentence, and what to do about it."""
    return (
        f"The proxy at {told.url} (process {told.pid}) does not prove to be this user's, so it is passed over and told "
        f"no key: codex-rotate {told.version} has started it. End process {told.pid} and start it again."
    )


# --- starting --------------------------------------------------------------------------------------------------------


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Two that look for a proxy at once must not start two. Raises ProxiesBusy or StoreUnusable."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=START_SECONDS, mode=paths.PRIVATE_FILE)
    with explained(folder):
        paths.make_private_folder(folder)
        try:
            lock.acquire()
        except Timeout:
            raise ProxiesBusy(folder) from None
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A proxy that runs; `program` is None if somebody else has started it."""

    presence: ProxyInfo
    program: processes.Program | None = None

    @property
    def ending(self) -> str:
        """How it ended, as far as that can be told: it can to its parent."""
        if self.program is None:
            return ""
        try:
            code = processes.ending(self.program, ENDING_SECONDS)
        except processes.StillRunning:  # it finishes its turns
            code = 0
        if code == 0:
            return "it was told to"
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def start(argv: Sequence[str], environ: Mapping[str, str]) -> Started:
    """Start a proxy in the background, which ends by itself when nobody uses it, and wait until it can be used.

    Raises ProxyDidNotStart or StoreUnusable.
    """
    folder = proxy_files.folder(environ)
    _forget_gone(folder)
    before = {told.pid for told in proxy_files.announced(folder)}
    log = _new_log(paths.logs_folder(environ))
    process = processes.detached(argv, environ, log)
    end = clock.monotonic() + START_SECONDS
    while clock.monotonic() < end and process.poll() is None:
        if any(told.pid not in before for told in proxy_files.announced(folder)):
            fresh = [told for told in running(environ) if told.pid not in before]
            if fresh:  # not told by the process's own number: on Windows the interpreter may run in a child of it
                with suppress(OSError):
                    log.replace(log_of(fresh[0], environ))
                return Started(presence=fresh[0], program=process)
        clock.pause(LOOK_SECONDS)
    process.terminate()
    raise ProxyDidNotStart(log, last_words(log))


def last_words(log: Path) -> list[str]:
    """The end of a log: what tells a person something."""
    with suppress(OSError):
        return telling(log.read_text("utf-8", "replace").splitlines())[-3:]
    return []


def telling(lines: Iterable[str]) -> list[str]:
    """Lines without the hour, and without what asyncio and Python say of themselves: tasks, frames, warnings. Of a
    traceback its last line is left."""
    bare = (STAMP.sub("", line).rstrip() for line in lines)
    return [line for line in bare if line and not line[0].isspace() and not NOISE.search(line)]


def log_of(presence: ProxyInfo, environ: Mapping[str, str] = os.environ) -> Path:
    """Where a proxy that `start` has started writes."""
    return paths.logs_folder(environ) / f"{presence.pid}.log"


def _forget_gone(folder: Path) -> None:
    """Take away what proxies have left that were killed."""
    leaving = proxy_files.leaving(folder, clock.now())
    for told in proxy_files.announced(folder):
        if told not in leaving and not ask(told.url).status:
            with suppress(OSError):
                (folder / f"{told.pid}.json").unlink()
                (folder / f"{told.pid}{private_socket.SUFFIX}").unlink(missing_ok=True)


def _new_log(folder: Path) -> Path:
    with explained(folder):
        paths.make_private_folder(folder)
        with tempfile.TemporaryFile(dir=folder):  # so that what refuses is said before a proxy is started
            pass
    with suppress(OSError):
        for old in sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime)[: -(LOGS_KEPT - 1)]:
            old.unlink()
    return folder / f"started-{int(clock.now() * 1000)}.log"


# --- keeping ---------------------------------------------------------------------------------------------------------


class Hold:
    """A connection that tells a proxy that somebody still needs it, and tells us when the proxy is gone.

    It says nothing, so it shows up nowhere; one that the proxy closes for being idle is made anew.
    """

    def __init__(
        self,
        presence: ProxyInfo,
        ask: Callable[[], ProxyAnswer] | None = None,
        lost: Callable[[], object] = lambda: None,
    ) -> None:
        """`ask` asks somebody else's proxy; None: it is our own. `lost` is called when the proxy has gone, by a
        thread of its own, in which no signal arrives."""
        self._presence = presence
        self._tell = lost
        self._ask = ask
        parts = urlsplit(presence.url)
        self._address = (parts.hostname or "", parts.port or 0)
        self._socket = socket.create_connection(self._address, timeout=ASK_SECONDS)
        self._socket.settimeout(None)
        self._closing = threading.Event()
        self.gone = threading.Event()
        """Set when the proxy has gone while it was needed."""
        self._watcher = threading.Thread(target=self._watch, name="proxy watcher", daemon=True)
        self._watcher.start()

    def lost(self) -> bool:
        """Whether the proxy has gone, noticed or not yet."""
        answered = None if self.gone.is_set() else self._answer().presence
        return answered is None or answered.pid != self._presence.pid

    def _answer(self) -> ProxyAnswer:
        return self._ask() if self._ask else ask_own(self._presence.url, {paths.HOME: self._presence.home})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; nobody is told any more. What `lost` is just doing is waited for only a moment."""
        self._closing.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._watcher:
            self._watcher.join(CLOSE_SECONDS)

    def _watch(self) -> None:
        """Belongs to the watcher, which closes what it has opened."""
        if sys.platform != "win32":  # one that this thread took would wait until the main one wakes for another reason
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            with suppress(OSError):
                while self._socket.recv(1):
                    pass
            self._socket.close()
            if self._closing.is_set():
                return
            try:
                self._socket = socket.create_connection(self._address, timeout=ASK_SECONDS)
            except OSError:
                self._lose()
                return
            self._socket.settimeout(None)
            if self._closing.is_set():  # and whoever is closing has shut the old one down
                self._socket.close()
                return
            if self.lost():  # somebody else has the port now
                self._socket.close()
                self._lose()
                return

    def _lose(self) -> None:
        self.gone.set()
        self._tell()
