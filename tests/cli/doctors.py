"""What the tests of `doctor` share: short words for findings, a client that only says what it is told to, and a machine
with a pool, a client and a way out that ends at the stand-in."""

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from cli.doctor.finding import Finding, Severity
from cli.running import proxies
from standin import Account, StandIn
from tests.corporate import Corporate
from tests.harness import fill, plain_environment, write_login

OK, NOTE, WARNING, PROBLEM = Severity.OK, Severity.NOTE, Severity.WARNING, Severity.PROBLEM
FEATURES: Final = "apps        stable  true\nuse_agent_identity   under development  false\n"
PASSING: Final = json.dumps({"checks": {"network.env": {"status": "ok", "summary": "fine", "remediation": None}}})


def short(findings: Iterable[Finding]) -> list[tuple[str, Severity]]:
    """Names and states; every finding is a sentence, and what is not all right says what to do."""
    found = list(findings)
    for each in found:
        assert each.what.endswith("."), each
        assert "\n" not in each.what + each.remedy
        assert each.remedy or each.state in {OK, NOTE}, each
        assert not each.remedy or each.remedy.endswith((".", ")")), each
    return [(each.name, each.state) for each in found]


def only(findings: Iterable[Finding]) -> Finding:
    (found,) = findings
    short([found])
    return found


def fake_codex(
    folder: Path, *, version: str = "codex-cli 0.169.0", features: str = FEATURES, doctor: str = PASSING
) -> Path:
    """A `codex` that says this and does nothing. Without `doctor` it is one of before there was that command."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {"version": version, "features": features, "doctor": doctor}
    helps = "--network-only" if doctor else "an older client"
    source = f"""#!{sys.executable} -IS
import os, sys
said = {said!r}
words = sys.argv[1:]
if words == ["doctor", "--help"]:
    print({helps!r})
elif words[0] == "doctor":
    import json
    open({str(folder / "seen.json")!r}, "w").write(json.dumps(dict(os.environ)))
    print(said["doctor"])
else:
    print(said[words[0].lstrip("-")])
"""
    (folder / "codex").write_text(source)
    (folder / "codex").chmod(0o755)
    return folder


@dataclass
class Machine:
    """One person's machine. `secrets` is everything that must not be shown."""

    folder: Path
    home: Path
    client: Path
    programs: Path
    upstream: StandIn
    corporate: Corporate
    accounts: tuple[Account, ...]
    own: Account
    environ: dict[str, str] = field(default_factory=dict)

    def started(self) -> list[int]:
        """The proxies of this pool that run."""
        return [told.pid for told in proxies.running(self.environ)]


@contextmanager
def machine(folder: Path, accounts: int = 2) -> Iterator[Machine]:
    """The provider is reached through a company's proxy, which leads to the stand-in; nothing leaves this machine."""
    with ExitStack() as stack:
        upstream = stack.enter_context(StandIn())
        corporate = stack.enter_context(Corporate({443: upstream.port, 80: upstream.plain_port}))
        seats = tuple(upstream.add_account(f"acc-{number}") for number in range(1, accounts + 1))
        made = Machine(
            folder, folder / "rotate home", folder / "client", folder / "bin", upstream, corporate, seats,
            upstream.add_account("acc-own"),
        )  # fmt: skip
        made.client.mkdir()
        write_login(made.own, made.client / "auth.json")
        fill(made.home, seats, folder)
        private(made.home / "config.toml", f'upstream_proxy = "{corporate.url()}"\n')
        (made.home / "ca").mkdir(mode=0o700)
        private(made.home / "ca" / "config.yaml", f"ssl_verify_upstream_trusted_ca: {upstream.ca_file}\n")
        fake_codex(made.programs)
        made.environ = {
            **plain_environment(),
            "HOME": str(folder),
            "CODEX_HOME": str(made.client),
            "CODEX_ROTATE_HOME": str(made.home),
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE": upstream.token_url,
            "PATH": str(made.programs),
        }
        stack.callback(_end_proxies, made)
        yield made


def _end_proxies(made: Machine) -> None:
    for pid in made.started():
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)


def private(file: Path, text: str) -> Path:
    file.write_text(text)
    file.chmod(0o600)
    return file


def enter(made: Machine, patch: pytest.MonkeyPatch) -> None:
    """Let commands in this process run on that machine."""
    for name in os.environ.keys() - made.environ.keys():
        patch.delenv(name)
    for name, value in made.environ.items():
        patch.setenv(name, value)


@contextmanager
def listening(answer: bytes = b"SSH-2.0-nonsense\r\n") -> Iterator[str]:
    """Something that is no proxy; its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with closing(client):
                        client.settimeout(5)
                        client.recv(4096)
                        client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def free() -> str:
    """An address where nothing listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"
