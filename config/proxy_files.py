"""What running proxies leave for commands to find: a file each, and the name under which each tells about itself."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from config import paths
from config.files import write_private

HOST: Final = "codex-rotate.invalid"
"""Asked for over plain http through a proxy of ours, the proxy itself answers. No such host can exist (RFC 6761)."""
PRODUCT: Final = "codex-rotate"
LEAVING_SECONDS: Final = 5.0
"""A proxy that ends writes its file anew every second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyInfo:
    """A proxy that runs. `certificate` is that of its authority, `home` our folder that it works with, `url`
    where it listens, `everything` whether it opens the connections to all hosts, for debugging, `stays` whether it
    goes on without any client. `turns` is told by one that ends: how many turns it still waits for. Such a proxy
    listens no more, and says so again every second."""

    url: str
    pid: int
    home: str
    certificate: str
    version: str
    everything: bool = False
    stays: bool = True
    turns: int | None = None


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the files are."""
    return paths.home(environ) / "proxies"


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
    sound = isinstance(found.url, str) and isinstance(found.pid, int) and isinstance(found.certificate, str)
    return found if sound else None


def announce(presence: ProxyInfo, place: Path) -> Path:
    """Leave the file of this proxy. Raises OSError when the disk refuses."""
    paths.make_private_folder(place)
    file = place / f"{presence.pid}.json"
    write_private(file, as_json(presence).encode())
    return file


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
