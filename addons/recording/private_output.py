"""What mitmproxy itself writes while our addon is loaded is its owner's only: captures, HAR files, its own folder."""

import logging
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from config import paths

KEY_LOGS: Final = ("MITMPROXY_SSLKEYLOGFILE", "SSLKEYLOGFILE")
"""mitmproxy writes the keys of all its TLS connections to the file that one of these names."""
DH_PARAMETERS: Final = "mitmproxy-dhparam.pem"

logger = logging.getLogger(__name__)


def keep_private() -> None:
    """From now on, whatever umask the process was started with."""
    os.umask(0o077)


def close_written(options: Any, addons: Any) -> None:
    """Close what was opened before our addon was there. Certificates may be read by all, and changed by nobody else."""
    saving = getattr(addons.get("save"), "current_path", None)
    folder = Path(options.confdir).expanduser()
    for each in (saving, folder / DH_PARAMETERS):
        if each is not None:
            _without(Path(each), 0o077)
    for each in folder.glob("mitmproxy-*"):
        _without(each, 0o022)


def _without(file: Path, bits: int) -> None:
    with suppress(OSError):
        if file.is_file():  # no device and no pipe
            paths.set_mode(file, stat.S_IMODE(file.lstat().st_mode) & ~bits)


def warn_of_key_log(environ: Mapping[str, str] = os.environ) -> None:
    """Whoever has that file and what was recorded on the net reads managed tokens."""
    named = next((name for name in KEY_LOGS if environ.get(name)), "")
    if named:
        logger.warning(
            "codex-rotate: %s is set: the keys of every connection are written to %s, and with them others can read "
            "the accounts' tokens. Unset it unless you mean this.",
            named,
            environ[named],
        )
