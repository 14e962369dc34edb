# ruff: noqa: INP001 - scripts/ holds programs
"""Installs the project as its users do, without the lock, and tries what it then can do.

    .venv/bin/python -m scripts.check_install            with the newest and with the lowest versions allowed, at once
    .venv/bin/python -m scripts.check_install lowest     with these alone

The newest ones come by `uv tool install`, the lowest ones into an environment of their own. Everything is made in
build/installs; nothing but the installing leaves this machine. Exit code 1 when something does not work. Where no
registry answers nothing can be tried: that is said, and is a failure under CI only.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.demo import client
from cli.running.processes import Finished, detached, run
from config import clock, proxy_files
from standin import StandIn
from tests.corporate import Corporate
from tests.harness import eventually, fill, free_port, plain_environment, write_login

ROOT: Final = Path(__file__).resolve().parent.parent
WORK: Final = ROOT / "build" / "installs"
UV: Final = str(Path(sys.executable).parent / "uv")
INSTALL_SECONDS: Final = 600.0
SECONDS: Final = 300.0
PACKAGE: Final = "codex_rotate"
SAID: Final = "Hello from acc-1."
CLIENT: Final = "cli.demo.client"
"""Started under `run` with this clone's Python: like the official one it takes everything from its environment."""
UNREACHABLE: Final = re.compile(
    r"error sending request|failed to fetch|dns error|failed to lookup address|connection refused|timed out|"
    r"network is unreachable|network connectivity is disabled",
    re.IGNORECASE,
)
"""How uv says that no registry answers, in distinction from one that does not have what was asked for."""


class Failed(Exception):
    """What was tried, and what was said."""


class NoRegistry(Exception):
    """Nothing could be installed, because nobody answered."""


# --- installing ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the programs are, and the environment that they run in."""

    programs: Path
    environment: Path


def main(words: Sequence[str]) -> int:
    """Try these ways of installing, or all."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    return check(words or tuple(INSTALLS))


def check(names: Sequence[str], wheel: Path | None = None) -> int:
    """Try these ways of installing this wheel, or one that is built for it. The exit code; what is wrong is told."""
    try:
        wheel = wheel or build(WORK / "wheel")
        tell(f"the wheel brings {', '.join(sorted(brought(wheel)))}")
        with ThreadPoolExecutor(len(names)) as threads:
            waiting = [threads.submit(install_and_try, name, wheel) for name in names]
        for each in waiting:
            tell(each.result())
    except NoRegistry as e:
        tell(f"skipped, no package registry answers: {e}")
        return 1 if os.environ.get("CI") else 0
    except Failed as e:
        tell(f"FAILED: {e}")
        return 1
    return 0


def install_and_try(name: str, wheel: Path) -> str:
    """How it went. Raises NoRegistry or Failed."""
    began = clock.monotonic()
    installed = INSTALLS[name](WORK / name, wheel)
    there = clock.monotonic()
    try:
        told = try_out(installed.programs, WORK / name)
    except Failed as e:
        frozen = run([UV, "pip", "freeze", "--python", str(installed.environment)], outside(), ROOT, SECONDS)
        raise Failed(f"{name}: {e}\nIt was installed with {', '.join(frozen.out.splitlines())}") from e
    return f"{name}: {told}; installed in {there - began:.0f} s, tried in {clock.monotonic() - there:.0f} s"


def tell(text: str) -> None:
    sys.stdout.write(f"install check: {text}\n")
    sys.stdout.flush()


def uv(*words: str, env: Mapping[str, str] | None = None) -> None:
    """Raises NoRegistry or Failed."""
    done = run([UV, *words], {**outside(), **(env or {})}, ROOT, INSTALL_SECONDS)
    if done.code != 0:
        what = f"uv {' '.join(words)}:\n{done.err or done.out or 'took too long'}"
        raise NoRegistry(done.err.strip().splitlines()[-1]) if UNREACHABLE.search(done.err) else Failed(what)


def outside() -> dict[str, str]:
    """This environment as it would be outside of the project's own."""
    own = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT"}
    return {name: value for name, value in os.environ.items() if name not in own}


def build(folder: Path) -> Path:
    """The wheel."""
    uv("build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(folder))
    return next(folder.glob("*.whl"))


def brought(wheel: Path) -> set[str]:
    """The names that a wheel puts into site-packages. Raises Failed when one of them could be somebody else's."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}
    strange = {name for name in names if name != PACKAGE and not re.fullmatch(rf"{PACKAGE}-[\w.]+\.dist-info", name)}
    require(names - strange >= {PACKAGE} and not strange, "the wheel's top-level names", ", ".join(sorted(names)))
    return names


def newest(folder: Path, wheel: Path) -> Installed:
    """As docs/how-to/installing.md says it."""
    tools = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    words = ("--quiet", "--with-executables-from", "mitmproxy")
    uv("tool", "install", *words, "--python", python(), str(wheel), env=tools)
    return Installed(folder / "bin", folder / "tools" / "codex-rotate")


def lowest(folder: Path, wheel: Path) -> Installed:
    """With the oldest Python that is here: releases that old know no newer one."""
    place = str(folder / "environment")
    uv("venv", "--quiet", "--python", python("3.12", "3.13"), place)
    into = ("pip", "install", "--quiet", "--python", place)
    uv(*into, "--resolution", "lowest-direct", "--requirements", "pyproject.toml")
    uv(*into, "--no-deps", str(wheel))
    return Installed(Path(place, "bin"), Path(place))


INSTALLS: Final = {"newest": newest, "lowest": lowest}


def python(*versions: str) -> str:
    """The first of these versions that is here; without any, what `make setup` would take. Raises Failed."""
    for version in versions or ("",):
        argv = [str(ROOT / "scripts" / "find-python"), *filter(None, [version])]
        done = run(argv, os.environ, ROOT, SECONDS)
        if done.code == 0:
            return done.out.strip()
    raise Failed(f"no Python to install with: {done.err.strip()}")


# --- trying ----------------------------------------------------------------------------------------------------------


def try_out(programs: Path, folder: Path) -> str:
    """Everything below, in a home of its own. What was installed, in words; raises Failed."""
    with Desk(programs, folder / "desk").opened() as desk:
        told = desk.says("codex-rotate", "--version").strip()
        wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
        require(told == f"codex-rotate {wanted}", "--version", told)
        mitmproxy, on = (line.split()[-1] for line in desk.says("mitmdump", "--version").splitlines()[:2])
        play_demo(desk)
        script = desk.says("codex-rotate", "script").strip()
        require(WORK in Path(script).parents, "script", f"{script} is not what was installed")
        start_plain(desk, script)
        start_serve(desk)
        start_run(desk)
    return f"mitmproxy {mitmproxy} on Python {on}"


class Desk:
    """A user of an installation: a home, a pool of one account, a company's proxy that leads to the stand-in."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        self.home = folder / "rotate"
        self.login = folder / "login.json"
        self.settings: dict[str, str] = {}
        self.environ: dict[str, str] = {}

    @contextmanager
    def opened(self) -> Iterator["Desk"]:
        (self.folder / "client").mkdir(parents=True)
        with StandIn() as upstream, Corporate({443: upstream.port, 80: upstream.plain_port}) as company:
            write_login(upstream.add_account("acc-home"), self.login)
            shutil.copy(self.login, self.folder / "client" / "auth.json")
            fill(self.home, [upstream.add_account("acc-1")], self.folder)
            (self.home / "config.toml").write_text(f'upstream_proxy = "{company.url()}"\n')
            self.settings = {"ssl_verify_upstream_trusted_ca": str(upstream.ca_file)}
            (self.home / "ca").mkdir(mode=0o700)
            (self.home / "ca" / "config.yaml").write_text(json.dumps(self.settings))
            kept = {
                name: value for name, value in plain_environment().items() if not name.startswith(("PYTHON", "UV_"))
            }
            self.environ = kept | {
                "PATH": os.pathsep.join([str(self.programs), os.environ["PATH"]]),
                "HOME": str(self.folder),
                "CODEX_HOME": str(self.folder / "client"),
                "CODEX_ROTATE_HOME": str(self.home),
                "CODEX_REFRESH_TOKEN_URL_OVERRIDE": upstream.token_url,
            }
            yield self

    def run(self, program: str, *words: str) -> Finished:
        return run([str(self.programs / program), *words], self.environ, self.folder, SECONDS)

    def says(self, program: str, *words: str) -> str:
        """What it prints. Raises Failed when it ends with anything but 0."""
        done = self.run(program, *words)
        require(done.code == 0, f"{program} {' '.join(words)}", f"exit code {done.code}\n{done.out}\n{done.err}")
        return done.out

    def serves(self, certificate: Path, program: str, *words: str) -> None:
        """Start a proxy at the address that PORT stands for, take a turn through it, end it."""
        port = free_port()
        argv = [str(self.programs / program), *(word.replace("PORT", str(port)) for word in words)]
        what, log = " ".join([program, *words]), self.folder / "log"
        log.unlink(missing_ok=True)
        process = detached(argv, self.environ, log)
        try:
            there = eventually(lambda: listens(port) or process.poll() is not None, SECONDS)
            require(there and process.poll() is None, what, log.read_text("utf-8"))
            login = json.loads(self.login.read_text("utf-8"))
            done = client.ask(f"http://127.0.0.1:{port}", certificate, login, "hi")
            require(done == Finished(0, SAID, ""), what, f"{done}\n{log.read_text('utf-8')}")
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Failed(f"{what} did not end:\n{log.read_text('utf-8')}") from None


def play_demo(desk: Desk) -> None:
    """Both acts, each with a proxy of its own."""
    told = json.loads(desk.says("codex-rotate", "demo", "--built-in-client", "--json"))
    played = [(turn["transport"], turn["exit_code"]) for turn in told["turns"]]
    require(played == [("WebSocket", 0)] * 3 + [("HTTP", 0)] * 3, "demo", json.dumps(told, indent=2))


def start_plain(desk: Desk, script: str) -> None:
    """mitmproxy's own program with our script, writing a capture, which is then explained."""
    confdir, capture = desk.folder / "mitmproxy", str(desk.folder / "capture.flow")
    settings = {"confdir": confdir, **desk.settings}
    flags = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    words = ("-s", script, "--listen-host", "127.0.0.1", "--listen-port", "PORT", "-w", capture, *flags)
    desk.serves(confdir / "mitmproxy-ca-cert.pem", "mitmdump", *words)
    told = desk.says("codex-rotate", "explain", capture)
    require("acc-1" in told, "explain", told)


def start_serve(desk: Desk) -> None:
    certificate = desk.home / "ca" / "mitmproxy-ca-cert.pem"
    web = ("--web", "--set", f"web_port={free_port()}")  # the other ways of installing are tried at the same time
    for more in ((), web):
        desk.serves(certificate, "codex-rotate", "serve", "--listen", "127.0.0.1:PORT", *more)


def start_run(desk: Desk) -> None:
    """It starts a proxy by itself, which is ended here rather than waited for."""
    try:
        said = desk.says("codex-rotate", "run", "--", "env", f"PYTHONPATH={ROOT}", sys.executable, "-m", CLIENT, "hi")
        require(said.strip() == SAID, "run", said)
    finally:
        started = proxy_files.announced(proxy_files.folder(desk.environ))
        for each in started:
            os.kill(each.pid, signal.SIGTERM)
    require(len(started) == 1, "run", f"{len(started)} proxies")
    gone = eventually(lambda: not proxy_files.announced(proxy_files.folder(desk.environ)), SECONDS)
    require(gone, "run", "its proxy did not end")


def require(good: bool, what: str, said: str) -> None:
    if not good:
        raise Failed(f"{what}:\n{said}")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
