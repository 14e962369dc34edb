"""The folder of an authority, which mitmproxy gets as its confdir: its files, their modes, one writer at a time."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from certs.errors import CaBusy, CaUnreachable
from config import access, paths

KEY_FILE: Final = "mitmproxy-ca.pem"
"""The only place of the key; its certificate follows it. mitmproxy signs with this one."""
CERTIFICATE_FILE: Final = "mitmproxy-ca-cert.pem"
"""A copy of the certificate alone, under mitmproxy's name for it."""
TRUSTED_FILE: Final = "trusted.pem"
"""What a client is to trust: the certificate first, then those it replaced and that have not expired."""
BUNDLE_FILE: Final = "bundle.pem"
"""All roots of the system and what is trusted of ours, for the block that `bind` writes."""
TOOLS_FILE: Final = "all-tools.pem"
"""The same for `env --all-tools`: it may have been made in a shell with other roots."""
OLD: Final = "old-"
"""How the files of replaced certificates begin that clients go on trusting until they expire."""
DISTRUSTED: Final = "distrusted-"
"""How those begin that no client is to trust any more, because somebody else may have their key."""
LOCK_SECONDS: Final = 8.0


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Two proxies that start at once, and a person at the keyboard, must not make two authorities.

    The folder is made if it is not there. Raises CaBusy or CaUnreachable.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=LOCK_SECONDS, mode=paths.PRIVATE_FILE)
    with explained(folder):
        paths.make_private_folder(folder)
        try:
            lock.acquire()
        except Timeout:
            raise CaBusy(folder) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """What the disk refuses, as one line: CaUnreachable."""
    try:
        yield
    except OSError as e:
        path = Path(e.filename) if isinstance(e.filename, str) else folder
        if refused := access.refusal(path, e.errno):
            raise CaUnreachable(path, refused.of(path), refused.remedy) from e
        raise CaUnreachable(path, e.strerror or str(e)) from e


def closed(folder: Path) -> tuple[str, ...]:
    """Close the folder and the key in it to everybody but their owner; a sentence for each that was open."""
    return (*_closed(folder, paths.PRIVATE_FOLDER), *_closed(folder / KEY_FILE, paths.PRIVATE_FILE))


def _closed(path: Path, mode: int) -> tuple[str, ...]:
    if os.name != "posix" or not access.there(path):
        return ()
    found = stat.S_IMODE(path.stat().st_mode)
    if not found & 0o077:
        return ()
    paths.set_mode(path, mode)
    advice = ""
    if path.name == KEY_FILE:
        advice = " If somebody else may have read the key, run `codex-rotate ca renew --leaked`."
    return (f"{path} was open to others ({found:04o}) and is now its owner's only ({mode:04o}).{advice}",)
