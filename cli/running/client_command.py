"""How a client is started behind a proxy: its command, its environment, and what its own `.env` makes of that."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from accounts.errors import UsageError
from certs.environment import bypasses, client_environment, no_proxy_of, trusted_file
from cli.running import client_login
from config import dotenv
from config.errors import RotateError
from config.proxy_files import ProxyInfo

CLIENT: Final = "codex"
INSTALL: Final = "npm install -g @openai/codex"
NOT_FOUND: Final = 127
"""What a shell gives for a command that is not there."""
WITHOUT_DAEMON: Final = ("-c", "features.daemon_auto_start=false")
"""Keeps the client from handing its work to a server in the background, which has the environment of whoever started it
first and would outlive us (docs/codex-wire.md section 6)."""
REPLACED: Final = frozenset({"https_proxy", "no_proxy", "all_proxy"})
"""Other spellings of what we set, without regard to case: the client must find one proxy only."""


class ClientMissing(RotateError):
    exit_code = NOT_FOUND

    def __init__(self, command: str) -> None:
        install = (
            f"Install it with `{INSTALL}`, or give" if PurePath(command).name == CLIENT else "Check the name, or give"
        )
        super().__init__(f"{command} was not found on the PATH. {install} its path: `codex-rotate run -- /path/to/it`.")


class ClientUnusable(RotateError):
    exit_code = 126

    def __init__(self, command: str, trouble: str) -> None:
        super().__init__(f"{command} cannot be started ({trouble}). Check the file and its permissions.")


class OwnProxyInDotenv(RotateError):
    def __init__(self, file: Path, line: int, name: str) -> None:
        super().__init__(
            f"{file}, line {line}, sets {name}, which goes before what `run` gives the client. Take that line out, or "
            "start the client without codex-rotate."
        )


class PinnedThroughDotenv(UsageError):
    def __init__(self, file: Path) -> None:
        super().__init__(
            f"--account has no effect while {file} leads the client by itself (`codex-rotate bind`). Run "
            "`codex-rotate unbind` first, or leave --account out."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What the client's own `.env` makes of the environment: the proxy it is led to (None: it is not)."""

    file: Path
    url: str | None = None


def client_command(command: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """What to start; of the official client, in a way that it does its work itself. Raises ClientMissing."""
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        raise ClientMissing(command[0])
    rest = list(command[1:])
    if is_client(command[0]) and not any("daemon_auto_start" in word for word in rest):
        rest = [*WITHOUT_DAEMON, *rest]
    return [program, *rest]


def is_client(program: str) -> bool:
    """Whether this is the official client."""
    return PurePath(program).stem == CLIENT


def look_at_login(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> None:
    """Raises what `client_login.check` raises, of the official client only."""
    if is_client(argv[0]):
        client_login.check(argv[1:], environ)


def led_by_dotenv(file: Path) -> Bound:
    """Whether the client's `.env`, which goes before any environment, leads it somewhere. Raises OwnProxyInDotenv."""
    try:
        content = file.read_bytes()
    except OSError:  # the client cannot read it either
        return Bound(file=file)
    try:
        for each in dotenv.assignments(content):
            name = each.name.upper()
            if name == "HTTPS_PROXY" or (name == "NO_PROXY" and bypasses(each.value)):
                raise OwnProxyInDotenv(file, each.line, each.name)
        url = dotenv.block_values(content).get("HTTPS_PROXY")
    except dotenv.DamagedBlock as e:
        raise RotateError(
            f"{file}, line {e.line}: {e.trouble}. Take the lines of codex-rotate out by hand; `codex-rotate bind` "
            "puts them in again."
        ) from e
    return Bound(file=file, url=url)


def environment(url: str, presence: ProxyInfo, environ: Mapping[str, str]) -> dict[str, str]:
    """The client's environment: ours, led through the proxy."""
    kept = {name: value for name, value in environ.items() if name.lower() not in REPLACED}
    past = bypasses(no_proxy_of(environ))  # this client was asked to go through the proxy
    names = [name for name in no_proxy_of(environ).split(",") if name.strip() not in past]
    trusted = trusted_file(Path(presence.certificate).parent)
    return kept | client_environment(url, trusted, {"NO_PROXY": ",".join(names)})
