"""`codex-rotate run` with the official CLI: complete turns, one account of one's own, the full-screen client."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.demo import QUIET
from cli.proxies import ask
from config import clock, proxy_files
from standin import Account, Fault, FaultKind, StandIn
from tests.corporate import Corporate
from tests.e2e.codex import Ran, finish
from tests.e2e.test_rotation import SAY_HI, unnoticed
from tests.harness import MITMDUMP, eventually, fill, plain_environment, write_login

ROTATE = str(MITMDUMP.with_name("codex-rotate"))
TUI_SECONDS = 60.0
ANSWERS = {b"\x1b[6n": b"\x1b[1;1R", b"\x1b[c": b"\x1b[?1;2c"}
"""What a full-screen program asks its terminal, and what a plain one answers."""
LEAD = """
import fcntl, os, struct, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 120, 0, 0))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal its own, and of a size, and becomes the program."""


@dataclass(frozen=True)
class Desk:
    """A client with a login of its own, a pool of two accounts, and nothing that runs yet."""

    upstream: StandIn
    binary: Path
    folder: Path
    accounts: tuple[Account, ...]

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

    def run(self, *words: str) -> Ran:
        """`codex exec` behind `run`, with what `run` itself is told first."""
        flags = [part for setting in QUIET for part in ("-c", setting)]
        command = [
            ROTATE,
            "run",
            *words[:-1],
            "--",
            str(self.binary),
            "exec",
            "--skip-git-repo-check",
            *flags,
            words[-1],
        ]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return finish(subprocess.Popen(command, env=self.environ, cwd=self.folder / "work", text=True, **streams))

    def served_by(self) -> list[str | None]:
        return [seen.account_id for seen in self.upstream.requests_to("/backend-api/codex/responses")]

    def proxies(self) -> list[proxy_files.Presence]:
        return proxy_files.announced(proxy_files.folder(self.environ))


@pytest.fixture
def desk(binary: Path, transport: str, tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as stack:
        upstream = stack.enter_context(StandIn())
        company = stack.enter_context(Corporate({443: upstream.port, 80: upstream.plain_port}, "ann", "right"))
        accounts = tuple(upstream.add_account(f"acc-{number}") for number in (1, 2))
        folder = tmp_path / "a desk"
        for name in ("client", "work"):
            (folder / name).mkdir(parents=True)
        write_login(upstream.add_account("acc-home", expires_in=3600), folder / "client" / "auth.json")
        fill(folder / "rotate", accounts, folder)
        (folder / "rotate" / "config.toml").write_text(f'upstream_proxy = "{company.url("ann", "right")}"\n')
        (folder / "rotate" / "ca").mkdir(mode=0o700)
        settings = {"ssl_verify_upstream_trusted_ca": str(upstream.ca_file), "rotate_transport": transport}
        (folder / "rotate" / "ca" / "config.yaml").write_text(json.dumps(settings))
        desk = Desk(upstream, binary, folder, accounts)
        yield desk
        for told in desk.proxies():
            with suppress(ProcessLookupError):
                os.kill(told.pid, signal.SIGTERM)
        assert eventually(lambda: not desk.proxies(), 20), "a proxy did not end"


def test_a_turn_with_nothing_but_run(desk: Desk, transport: str) -> None:
    """The proxy is started for it, and used again by the next one."""
    assert unnoticed(desk.run(SAY_HI), "Hello from acc-1.", transport)
    (first,) = desk.proxies()
    assert unnoticed(desk.run(SAY_HI), "Hello from acc-1.", transport)
    assert desk.proxies() == [first]
    assert set(desk.served_by()) == {"acc-1"}


def test_the_next_account_answers(desk: Desk, transport: str) -> None:
    desk.upstream.fault("acc-1", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    assert unnoticed(desk.run(SAY_HI), "Hello from acc-2.", transport)


def test_an_account_for_this_launch_only(desk: Desk, transport: str) -> None:
    """It alone serves, and when it cannot, the client prints why; the next launch is free again."""
    assert unnoticed(desk.run("--account", "acc-2", SAY_HI), "Hello from acc-2.", transport)
    desk.upstream.fault("acc-2", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    refused = desk.run("--account", "acc-2", SAY_HI)
    assert refused.code == 1
    assert "The account that codex-rotate is pinned to cannot serve this request." in refused.err
    assert set(desk.served_by()) == {"acc-2"}
    assert unnoticed(desk.run(SAY_HI), "Hello from acc-1.", transport)


def test_with_client_keys_run_has_one_of_its_own(desk: Desk, transport: str) -> None:
    """Every connection of the client shows it; beside that nothing changes."""
    subprocess.run([ROTATE, "keys", "add", "ann"], env=desk.environ, check=True, capture_output=True)
    assert unnoticed(desk.run("--account", "acc-2", SAY_HI), "Hello from acc-2.", transport)
    (told,) = desk.proxies()
    assert ask(told.url).status == 407
    assert set(desk.served_by()) == {"acc-2"}


@pytest.mark.parametrize("transport", ["auto"], indirect=True)
def test_the_full_screen_client_does_its_work_itself(desk: Desk) -> None:
    """Its server in the background would keep the environment of its first start, with or without our proxy."""
    trusted = f'[projects."{(desk.folder / "work").resolve()}"]\ntrust_level = "trusted"\n'
    quiet = "".join(f"{name} = {value}\n" for name, _, value in (each.partition("=") for each in QUIET))
    (desk.folder / "client" / "config.toml").write_text(quiet + trusted)
    screen = Screen(desk, ["--account", "acc-2", "--", str(desk.binary)])
    try:
        screen.wait_for("Ask Codex to do anything")
        screen.type("Say hello.")
        screen.wait_for("Say hello.")
        screen.type("\r")
        screen.wait_for("Hello from acc-2.")
        assert set(desk.served_by()) == {"acc-2"}
        assert not (desk.folder / "client" / "packages").exists()
        screen.type("/quit")
        screen.wait_for("/quit")
        screen.type("\r")
        assert screen.ended() == 0
    finally:
        screen.close()


class Screen:
    """A terminal with a program on it. What it shows is read as text, without where it stands."""

    def __init__(self, desk: Desk, words: list[str]) -> None:
        self.controller, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", LEAD, ROTATE, "run", *words], env=desk.environ, cwd=desk.folder / "work",
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        self.raw = b""

    @property
    def text(self) -> str:
        plain = re.sub(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b.", b"", self.raw)
        return plain.decode("utf-8", "replace")

    def type(self, words: str) -> None:
        os.write(self.controller, words.encode())

    def wait_for(self, words: str) -> None:
        end = clock.monotonic() + TUI_SECONDS
        bare = words.replace(" ", "")
        while bare not in self.text.replace(" ", ""):  # a space may be a move of the cursor
            assert clock.monotonic() < end, f"never showed {words!r}:\n{self.text[-2000:]}"
            if select.select([self.controller], [], [], 0.2)[0]:
                try:
                    news = os.read(self.controller, 65536)
                except OSError:
                    raise AssertionError(f"ended without showing {words!r}:\n{self.text[-2000:]}") from None
                self.raw += news
                for question, answer in ANSWERS.items():
                    for _ in range(news.count(question)):
                        os.write(self.controller, answer)

    def ended(self) -> int:
        """Read on until nobody has the terminal open any more: the exit code."""
        end = clock.monotonic() + TUI_SECONDS
        with suppress(OSError):
            while select.select([self.controller], [], [], max(0.0, end - clock.monotonic()))[0]:
                self.raw += os.read(self.controller, 65536)
        return self.process.wait(TUI_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.ended()
        os.close(self.controller)
