"""What a user has: a client with a login of its own, a pool, and the commands as they are installed."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cli.demo.play import QUIET
from config import proxy_files
from standin import Account, StandIn
from tests import warm
from tests.corporate import Corporate
from tests.e2e.codex import Ran, finish, settle_in
from tests.harness import MITMDUMP, eventually, fill, plain_environment, write_login

ROTATE: Final = os.environ.get("ROTATE_BIN") or str(MITMDUMP.with_name("codex-rotate"))
"""The command that is tried: this clone's, or one that was installed another way."""
RESPONSES: Final = "/backend-api/codex/responses"


@dataclass(frozen=True)
class Desk:
    """A client with a login of its own, a pool of accounts, and nothing that runs yet."""

    upstream: StandIn
    binary: Path
    folder: Path
    accounts: tuple[Account, ...]
    cold: bool = True
    """Whether what is started of ours has to import what it needs, as a user's does."""

    @property
    def environ(self) -> dict[str, str]:
        return {
            **plain_environment(),
            "TZ": "UTC",
            "TERM": "xterm-256color",
            "HOME": str(self.folder / "client"),
            "CODEX_HOME": str(self.folder / "client"),
            "CODEX_ROTATE_HOME": str(self.folder / "rotate"),
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE": self.upstream.token_url,
        }

    @property
    def rotate_program(self) -> str:
        """What a shell calls."""
        return ROTATE if self.cold else str(self.folder / "programs" / "codex-rotate")

    def client(self, *words: str) -> list[str]:
        """The official CLI's `exec`, as a command."""
        flags = [part for setting in QUIET for part in ("-c", setting)]
        return [str(self.binary), "exec", *words[:-1], "--skip-git-repo-check", *flags, words[-1]]

    def start(self, command: list[str], more: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """A command in the user's folder, left running."""
        streams: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "start_new_session": True,
        }
        environ = {**self.environ, **(more or {})}
        popen = subprocess.Popen if self.cold else warm.Popen
        return popen(command, env=environ, cwd=self.folder / "work", text=True, **streams)

    def run(self, *words: str) -> Ran:
        """`codex exec` behind `run`, with what `run` itself is told first."""
        return finish(self.start([ROTATE, "run", *words[:-1], "--", *self.client(words[-1])]))

    def rotate(self, *words: str) -> str:
        """What a command of ours says."""
        command = [ROTATE, *words]
        done = warm.run(command, env=self.environ, check=True, capture_output=True, text=True, timeout=60)
        return done.stdout

    def trust_folder(self) -> None:
        """What the full-screen client would otherwise ask first."""
        trusted = f'[projects."{(self.folder / "work").resolve()}"]\ntrust_level = "trusted"\n'
        quiet = "".join(f"{name} = {value}\n" for name, _, value in (each.partition("=") for each in QUIET))
        (self.folder / "client" / "config.toml").write_text(quiet + trusted)

    def served_by(self) -> list[str | None]:
        return [seen.account_id for seen in self.upstream.requests_to(RESPONSES)]

    def turns(self) -> list[str | None]:
        """Whose account each turn of the user ran on, over HTTP or in a socket. Warm-ups are none, and neither is the
        request with which the full-screen client has a title made for a new thread."""
        seen = self.upstream.requests_to(RESPONSES)
        bodies = [(one.account_id, one.messages if one.websocket else (one.json(),)) for one in seen]
        asked = [(who, body) for who, sent in bodies for body in sent if body.get("generate") is not False]
        return [who for who, body in asked if "thread_title" not in str(body.get("client_metadata"))]

    def proxies(self) -> list[proxy_files.ProxyInfo]:
        return proxy_files.announced(proxy_files.folder(self.environ))


@contextmanager
def open_desk(binary: Path, folder: Path, transport: str, *, seats: int = 2, cold: bool = True) -> Iterator[Desk]:
    """The stand-in is where the company's proxy leads: nothing that a user starts has to be told of it."""
    with StandIn() as upstream, Corporate({443: upstream.port, 80: upstream.plain_port}, "ann", "right") as company:
        accounts = tuple(upstream.add_account(f"acc-{number}") for number in range(1, seats + 1))
        for name in ("client", "work", "programs"):
            (folder / name).mkdir(parents=True)
        if not cold:
            warm.put_programs(folder / "programs")
            settle_in(binary, folder / "client")
        write_login(upstream.add_account("acc-home", expires_in=3600), folder / "client" / "auth.json")
        fill(folder / "rotate", accounts, folder)
        (folder / "rotate" / "config.toml").write_text(f'upstream_proxy = "{company.url("ann", "right")}"\n')
        settings = {"ssl_verify_upstream_trusted_ca": str(upstream.ca_file), "rotate_transport": transport}
        for place in (folder / "rotate" / "ca", folder / "client" / ".mitmproxy"):
            place.mkdir(mode=0o700)
            (place / "config.yaml").write_text(json.dumps(settings))
        desk = Desk(upstream, binary, folder, accounts, cold)
        try:
            yield desk
        finally:
            for told in desk.proxies():
                with suppress(ProcessLookupError):
                    os.kill(told.pid, signal.SIGTERM)
            assert eventually(lambda: not desk.proxies(), 20), "a proxy did not end"
