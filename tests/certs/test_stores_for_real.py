"""A real Debian or Ubuntu: its own commands in a mount namespace, and what real programs believe afterwards."""

import functools
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cli.commands.setup.trust import install
from cli.running.trust_stores import chosen, this_machine
from cli.ui.asking import SaidYes
from config import clock
from tests import warm
from tests.certs.conftest import authority, pem, serving, sign
from tests.certs.machines import PATIENCE, PrivateRoots, enter, real_files, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "rotate home"


class Server:
    """TLS on loopback, for as many clients as come, each of which gets one short answer."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._listening.accept()
            except OSError:
                return
            with raw, suppress(OSError):
                raw.settimeout(10)
                with self._context.wrap_socket(raw, server_side=True) as sock:
                    sock.recv(4096)
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)


@pytest.fixture
def private_roots(tmp_path: Path) -> Iterator[PrivateRoots]:
    """The machine's own trust store, as a copy; the real one is looked at before and after."""
    before = real_files()
    yield PrivateRoots(tmp_path / "private")
    assert real_files() == before


class Scene:
    """One CA and what programs of a machine with that trust store think of a server that it signed for."""

    def __init__(self, roots: PrivateRoots, home: Path, tmp_path: Path) -> None:
        self.roots, self.home, self.tmp_path = roots, home, tmp_path
        self.env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CODEX_ROTATE_HOME": str(home)}
        self.env |= {name: value for name, value in os.environ.items() if name.startswith(("LANG", "LC_", "PYTHON"))}

    def run(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        return self.roots.run(*argv, env=self.env, cwd=ROOT)

    def command(self, *words: str) -> warm.Done:
        argv = [sys.executable, "-c", "import codex_rotate; codex_rotate.main()", "ca", *words]
        inside = functools.partial(enter, self.roots.folder)
        return warm.run(
            argv, env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, preexec_fn=inside
        )

    def leaf(self, host: str) -> tuple[ssl.SSLContext, Path]:
        now = float(int(clock.now()))
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = sign(authority(self.home / "ca"), host, key, now, name)
        file = self.tmp_path / f"{host}.pem"
        file.write_bytes(pem(certificate))
        return serving(self.tmp_path / f"{host}.key.pem", key, certificate), file

    def believers(self, host: str) -> dict[str, bool]:
        """Which programs trust a server of that name, each with nothing but its defaults."""
        context, file = self.leaf(host)
        server = Server(context)
        try:
            python = (
                "import socket, ssl, sys\n"
                "with socket.create_connection(('127.0.0.1', int(sys.argv[2])), timeout=10) as raw:\n"
                "    ssl.create_default_context().wrap_socket(raw, server_hostname=sys.argv[1]).close()\n"
            )
            ran: dict[str, Sequence[str | Path]] = {
                "python": [sys.executable, "-c", python, host, str(server.port)],
                "openssl": ["openssl", "verify", "-purpose", "sslserver", "-verify_hostname", host, file],
            }
            there = f"{host}:{server.port}"
            ran["curl"] = ["curl", "-sS", "--noproxy", "*", "--resolve", f"{there}:127.0.0.1", f"https://{there}/"]
            return {name: self.run(*argv).returncode == 0 for name, argv in ran.items() if self.there(argv[0])}
        finally:
            server.close()

    @staticmethod
    def there(program: str | Path) -> bool:
        return this_machine().find(str(program)) is not None


def test_a_real_system_believes_it_for_the_provider_only(
    private_roots: PrivateRoots, home: Path, tmp_path: Path
) -> None:
    """Python, OpenSSL and curl with their defaults, before, with, and after it."""
    scene = Scene(private_roots, home, tmp_path)
    assert scene.command("create").returncode == 0
    roots_before = private_roots.roots
    assert set(scene.believers("chatgpt.com").values()) == {False}
    ran = scene.command("install", "--system", "--yes")
    assert (ran.returncode, ran.stderr) == (0, "")
    believers = scene.believers("chatgpt.com")
    assert believers.keys() >= {"python", "openssl"}
    assert set(believers.values()) == {True}
    assert set(scene.believers("example.com").values()) == {False}
    assert "trusted by: /usr/local/share/ca-certificates" in scene.command("status").stdout
    again = scene.command("install", "--system", "--yes")
    assert "already" in again.stdout
    ran = scene.command("uninstall")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert set(scene.believers("chatgpt.com").values()) == {False}
    assert private_roots.roots == roots_before
    links = [path.name for path in (private_roots.folder / "etc/ssl/certs").iterdir() if "codex-rotate" in path.name]
    assert links == []


def test_a_real_system_after_a_renewal(private_roots: PrivateRoots, home: Path, tmp_path: Path) -> None:
    """The new one is believed, and what the old key signs is not any more."""
    scene = Scene(private_roots, home, tmp_path)
    scene.command("create")
    scene.command("install", "--system", "--yes")
    _, signed_before = scene.leaf("chatgpt.com")
    verify = ["openssl", "verify", signed_before]
    assert scene.run(*verify).returncode == 0
    assert scene.command("renew", "--force").returncode == 0
    ran = scene.command("install", "--system", "--yes")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "was removed" in ran.stdout
    assert scene.run(*verify).returncode != 0
    assert set(scene.believers("chatgpt.com").values()) == {True}


def test_the_commands_for_root_do_what_they_say(private_roots: PrivateRoots, home: Path, tmp_path: Path) -> None:
    """Taken from the refusal and run as they are, but for `sudo`, which root does not need."""
    scene = Scene(private_roots, home, tmp_path)
    scene.command("create")
    machine = replace(this_machine(), root=False)
    said = install(home / "ca", chosen(machine, system=True, nss=False), SaidYes(), clock.now())
    script = said.notes[0].partition("Run: ")[2].replace("sudo ", "")
    ran = scene.run("sh", "-ec", script)
    assert ran.returncode == 0, ran.stderr
    assert set(scene.believers("chatgpt.com").values()) == {True}
    assert "already" in scene.command("install", "--system", "--yes").stdout
