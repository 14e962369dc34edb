"""Runs the official Codex CLI behind the proxy, as a user would."""

import atexit
import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.demo.play import QUIET
from tests.harness import Proxy, plain_environment

MOST_SECONDS: Final = 60.0
FELL_BACK: Final = "failed to connect to Responses WebSocket stage=Unknown"
"""What the client logs for every 426 on an upgrade, also when OpenAI itself sends it."""

_making: Final = threading.Lock()
NO_THREAD: Final = "01a00000-0000-7000-8000-000000000000"
NOBODY: Final = "http://127.0.0.1:9"

_RULE: Final = "--------"
_USUAL: Final = re.compile(
    r"user|codex|tokens used|[\d,]+|"
    r"(warning|WARNING): .*(bubblewrap|PATH aliases).*|"
    r"Reading additional input from stdin\.\.\.|"
    r"\S+ ERROR codex_models_manager::manager: failed to load models cache: .*"  # its last run ended while writing it
)


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def session(self) -> str:
        """The id by which `resume` finds it."""
        found = re.search(r"session id: (\S+)", self.err)
        assert found is not None, self.err
        return found[1]

    def said_beside(self, *expected: str) -> list[str]:
        """The lines on stderr that are neither usual nor these (the prompt, the answer)."""
        banner, _, rest = self.err.partition(f"{_RULE}\n")
        _, _, talk = rest.partition(f"{_RULE}\n")
        before = banner.partition("OpenAI Codex")[0]
        lines = [line.strip() for line in f"{before}\n{talk}".splitlines()]
        return [line for line in lines if line and line not in expected and not _USUAL.fullmatch(line)]


@dataclass(frozen=True)
class Codex:
    """The CLI with its own home, led through a proxy. `inside` comes before its command line.

    `told` is whether a variable says which CA to trust; without it the client has the system's trust store only. `says`
    is the `user:password` in the proxy's address.
    """

    binary: Path
    proxy: Proxy
    home: Path
    folder: Path
    inside: tuple[str, ...] = ()
    told: bool = True
    says: str = ""

    def start(self, *args: str) -> subprocess.Popen[str]:
        """`codex exec`, left running."""
        flags = [part for setting in QUIET for part in ("-c", setting)]
        return subprocess.Popen(
            [*self.inside, str(self.binary), "exec", *args[:-1], "--skip-git-repo-check", *flags, args[-1]],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *args: str) -> Ran:
        """`codex exec`, to its end."""
        return finish(self.start(*args))

    def environment(self) -> dict[str, str]:
        told = {"CODEX_CA_CERTIFICATE": str(self.proxy.ca_file)} if self.told else {}
        return {
            **plain_environment(),
            **told,
            "TZ": "UTC",
            "HOME": str(self.home),
            "CODEX_HOME": str(self.home),
            "HTTPS_PROXY": self.proxy.url.replace("://", f"://{self.says}@") if self.says else self.proxy.url,
            "NO_PROXY": "localhost,127.0.0.1,::1",
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE": self.proxy.upstream.token_url,
        }


def settle_in(binary: Path, home: Path) -> None:
    """Put there what the client makes when it starts for the first time, its databases above all: that takes as long as
    all else it does for a turn. What is there already stays. With COLD=1 every client makes its own."""
    if "COLD" not in os.environ:
        with _making:
            made = _first_home(binary)
        shutil.copytree(made, home, dirs_exist_ok=True)


@functools.cache
def _first_home(binary: Path) -> Path:
    """Of a client that was asked for a thread which does not exist, and so has asked nobody."""
    home = Path(tempfile.mkdtemp(prefix="client-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    flags = [part for setting in QUIET for part in ("-c", setting)]
    done = subprocess.run(
        [str(binary), "exec", "resume", NO_THREAD, "--skip-git-repo-check", *flags, "nothing"],
        env={**plain_environment(), "HOME": str(home), "CODEX_HOME": str(home), "HTTPS_PROXY": NOBODY},
        cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=MOST_SECONDS, check=False,
    )  # fmt: skip
    assert NO_THREAD in done.stderr, done.stderr
    return home


def finish(process: subprocess.Popen[str], seconds: float = MOST_SECONDS) -> Ran:
    """Wait for a run that was started in a session of its own, for so long at most."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # what it has started holds the pipes open, too
        out, err = process.communicate()
        raise AssertionError(f"the client did not come to an end:\n{out}\n{err}") from None
    return Ran(process.returncode, out, err)
