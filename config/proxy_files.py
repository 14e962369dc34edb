"""What running proxies leave for commands to find: a file each, and the name under which each tells about itself.

Whoever takes the port of a proxy that has gone can say that it is ours. So a proxy proves that it can read our folder,
which nobody else can: it signs what it is asked together with the address at which it was reached.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from config import paths
from config.files import put_new, write_private

HOST: Final = "codex-rotate.invalid"
"""Asked for over plain http through a proxy of ours, the proxy itself answers. No such host can exist (RFC 6761)."""
PRODUCT: Final = "codex-rotate"
CHALLENGE: Final = "x-codex-rotate-challenge"
PROOF: Final = "x-codex-rotate-proof"
"""Headers: something new to sign, and the signature."""
REACHED_AT: Final = "x-codex-rotate-reached-at"
"""A header inside of TLS: the address and port at which the proxy was reached."""
PROOF_KEY: Final = "proof.key"
LEAVING_SECONDS: Final = 5.0
"""A proxy that ends writes its file anew every second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyInfo:
    """A proxy that runs. `certificate` is that of its authority, `home` our folder that it works with, `url`
    where it listens, `everything` whether it opens the connections to all hosts, for debugging, `insecure` whether it
    verifies no server, `stays` whether it goes on without any client. `turns` is told by one that ends: how many turns
    it still waits for. Such a proxy listens no more, and says so again every second. `socket` is where its owner's
    commands ask it; "": at its address only. `page` is where its page is, "" without one."""

    url: str
    pid: int
    home: str
    certificate: str
    version: str
    everything: bool = False
    insecure: bool = False
    stays: bool = True
    turns: int | None = None
    socket: str = ""
    page: str = ""


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the files are."""
    return paths.home(environ) / "proxies"


def runs(pid: int) -> bool | None:
    """Whether there is such a process; None on Windows, where a signal 0 would end it."""
    if os.name != "posix":
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # there is one, and it is somebody else's
        return True
    return True


def as_json(presence: ProxyInfo) -> str:
    return json.dumps({"product": PRODUCT, **asdict(presence)})


def from_json(text: str | bytes) -> ProxyInfo | None:
    """None for what no proxy of ours has written."""
    try:
        told = json.loads(text)
        if told.pop("product") != PRODUCT:
            return None
        known = {name: told[name] for name in ProxyInfo.__dataclass_fields__ if name in told}
        found = ProxyInfo(**known)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    said = (found.url, found.home, found.certificate, found.version, found.socket, found.page)
    texts = all(isinstance(each, str) for each in said)
    return found if texts and isinstance(found.pid, int) else None


def announce(presence: ProxyInfo, place: Path) -> Path:
    """Leave the file of this proxy. Raises OSError when the disk refuses."""
    paths.make_private_folder(place)
    with suppress(FileExistsError):
        if not proof_key(place):
            write_private(place / PROOF_KEY, secrets.token_hex(32).encode(), put=put_new)
    file = place / f"{presence.pid}.json"
    write_private(file, as_json(presence).encode())
    return file


def proof_key(place: Path) -> bytes:
    """What proxies sign with; empty where none has ever run."""
    with suppress(OSError):
        return (place / PROOF_KEY).read_bytes()
    return b""


def proof(key: bytes, challenge: str, host: str, port: int) -> str:
    """The signature of a proxy that was reached at this address; at another one it is worth nothing, so it cannot be
    had from a proxy elsewhere and passed on."""
    said = f"{challenge} {host.removeprefix('::ffff:')} {port}"
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()


def leaving(place: Path, now: float) -> list[ProxyInfo]:
    """Those that end and wait for turns. Their files are quite new: no process number is taken for another's."""
    return [told for told, at in _read(place) if told.turns is not None and now - at < LEAVING_SECONDS]


def announced(place: Path) -> list[ProxyInfo]:
    """Every file that is there, the newest first. A proxy that was killed could not take its file away."""
    return [told for told, _ in _read(place)]


def _read(place: Path) -> list[tuple[ProxyInfo, float]]:
    """What the files say, and when each was written."""
    found = []
    for file in place.glob("*.json"):
        with suppress(OSError):
            told = from_json(file.read_bytes())
            if told is not None:
                found.append((told, file.stat().st_mtime))
    return sorted(found, key=lambda each: each[1], reverse=True)
