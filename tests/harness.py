"""The real proxy as a process of its own, in front of the stand-in; nothing here leaves loopback.

Everything that waits is bounded and ends as soon as what it waits for is there.
"""

import io
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from accounts.logins.auth_file import read_auth_file
from accounts.store.store import Store
from config import clock
from standin import Account, StandIn
from tests import warm

ROOT: Final = Path(__file__).resolve().parents[1]
MITMDUMP: Final = Path(sys.executable).parent / "mitmdump"
SCRIPT: Final = ROOT / "rotate.py"
REDIRECT: Final = ROOT / "tests" / "redirect.py"
PATIENCE: Final = 30.0
"""Seconds until a test gives up waiting for something that should happen at once."""
START_SECONDS: Final = 60.0
"""What a proxy gets to start, on a machine that is busy."""
AGAIN: Final = 1.0
"""Seconds after which a proxy that is told to end once more takes it for a second time."""

_LEADS_ELSEWHERE: Final = re.compile(
    r"COLUMNS$|LINES$|CODEX_|OPENAI_|STANDIN_|SSL_CERT|(HTTPS?|ALL|NO)_PROXY", re.IGNORECASE
)
_LISTENING: Final = re.compile(r"proxy listening at 127\.0\.0\.1:(\d+)")


def eventually(condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Whether the condition came true in time. For what another process does and cannot tell us about."""
    looked = threading.Event()  # never set: its wait is what bounds the looking
    end = clock.monotonic() + seconds
    while not condition():
        if clock.monotonic() > end:
            return False
        looked.wait(0.01)
    return True


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Output:
    """What a process has said so far, read as it comes; all of it once it has ended. `stream`: not what it prints."""

    def __init__(self, process: "subprocess.Popen[str]", stream: IO[str] | None = None) -> None:
        self._process = process
        stream = stream or process.stdout
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(errors="replace")
        self._stream = stream
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def text(self) -> str:
        with self._news:
            if self._process.poll() is not None:  # its last words are on their way
                self._news.wait_for(lambda: self._ended, timeout=PATIENCE)
            return "".join(self._lines)

    def wait_for(self, pattern: str | re.Pattern[str], seconds: float = PATIENCE) -> re.Match[str]:
        """The first match in what was said; AssertionError if there is none when time is up or the process is."""

        def found() -> re.Match[str] | None:
            return re.search(pattern, "".join(self._lines))

        with self._news:
            self._news.wait_for(lambda: found() or self._ended, timeout=seconds)
            match = found()
            assert match is not None, f"never said {pattern!r}:\n{''.join(self._lines)}"
            return match

    def close(self) -> None:
        self._reader.join(PATIENCE)
        self._stream.close()

    def _read(self) -> None:
        for line in self._stream:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


@dataclass
class Proxy:
    """A running mitmdump. `flags` and `scripts` come after our own."""

    upstream: StandIn
    home: Path
    confdir: Path
    flags: Sequence[str] = ()
    scripts: Sequence[Path] = ()
    env: dict[str, str] = field(default_factory=dict)
    tool: Sequence[str] = (str(MITMDUMP),)
    """mitmproxy's own, or what `serve` starts."""
    cold: bool = False
    """Whether it has to import what it needs, as a user's does."""

    def __enter__(self) -> Self:
        self.process = (subprocess.Popen if self.cold else warm.Popen)(
            self.command(), env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.output = Output(self.process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @cached_property
    def port(self) -> int:
        """Where it listens; waits until it does."""
        return int(self.output.wait_for(_LISTENING, seconds=START_SECONDS)[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The certificate clients have to trust; waits until the proxy is there, which may have had to make one."""
        assert self.port
        return self.confdir / "mitmproxy-ca-cert.pem"

    def trust(self, *others: Path) -> ssl.SSLContext:
        """TLS for a client of this proxy; `others` are further CA files."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        for other in others:
            context.load_verify_locations(str(other))
        return context

    def command(self) -> list[str]:
        scripts = [SCRIPT, REDIRECT, *self.scripts]
        settings = [f"confdir={self.confdir}", f"ssl_verify_upstream_trusted_ca={self.upstream.ca_file}"]
        return [
            *self.tool,
            *(part for script in scripts for part in ("-s", str(script))),
            *("--listen-host", "127.0.0.1", "--listen-port", "0"),
            *(part for setting in settings for part in ("--set", setting)),
            *self.flags,
        ]

    def stop(self) -> str:
        """End it as Ctrl-C would, twice if it waits for a turn, and return everything it said. Stopping twice is
        harmless."""
        for _ in range(2):
            if self.process.poll() is None:
                self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(AGAIN)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)
            raise AssertionError(f"the proxy did not stop:\n{self.output.text()}") from None
        finally:
            self.output.close()
        return self.output.text()

    def _environment(self) -> dict[str, str]:
        return {
            **plain_environment(),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(self.home.parent),
            "CODEX_ROTATE_HOME": str(self.home),
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE": self.upstream.token_url,
            "STANDIN_PORT": str(self.upstream.port),
            "STANDIN_PLAIN_PORT": str(self.upstream.plain_port),
            **self.env,
        }


def plain_environment() -> dict[str, str]:
    """This process's environment without what would lead a child elsewhere."""
    return {name: value for name, value in os.environ.items() if not _LEADS_ELSEWHERE.match(name)}


def options(**settings: object) -> list[str]:
    """mitmproxy options as flags."""
    pairs = [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in settings.items()]
    return [part for name, value in pairs for part in ("--set", f"{name}={value}")]


def put(store: Store, account: Account, folder: Path, order: int) -> str:
    """Import an account of the stand-in the way a user would: from its auth.json. Its key in the pool."""
    login = read_auth_file(write_login(account, folder / f"login-{account.account_id}.json"))
    # accounts are preferred in this order, whatever is left of each
    seat = replace(login.account, label=account.account_id, added_at=float(order), priority=-order)
    store.put_account(seat, login.credentials).result()
    return seat.key


def fill(home: Path, accounts: Iterable[Account], folder: Path) -> None:
    """A pool with these accounts, the first one preferred."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Store(home / "pool.db") as store:
        for order, account in enumerate(accounts, start=1):
            put(store, account, folder, order)


def write_login(account: Account, path: Path) -> Path:
    """The account's auth.json."""
    path.write_text(json.dumps(account.auth_json()))
    return path


def secrets_of(accounts: Iterable[Account]) -> set[str]:
    """Every token that was ever issued to these accounts."""
    return {
        token
        for account in accounts
        for token in (
            *account.access_tokens_issued,
            *account.refresh_tokens_issued,
            account.auth_json()["tokens"]["id_token"],
        )
    }
