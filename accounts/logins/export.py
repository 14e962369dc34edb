"""An account's login as a file that the official client reads (docs/codex-wire.md section 4)."""

import json
import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accounts.errors import CannotExport, FileThere
from accounts.model import Account, Credentials
from accounts.tokens.claims import read_claims


def auth_document(account: Account, credentials: Credentials) -> dict[str, Any]:
    """The client's auth.json for this account. Raises CannotExport for tokens that the client would refuse."""
    id_token = next((each for each in (credentials.id_token, credentials.access) if read_claims(each)), "")
    if not credentials.access or not id_token:
        raise CannotExport(
            f"The stored login of {account.label} lacks a token that the official client needs. "
            f"Run `codex-rotate verify {account.label}` and try again."
        )
    return {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": id_token,
            "access_token": credentials.access,
            "refresh_token": credentials.refresh,
            "account_id": account.account_id,
        },
        "last_refresh": rfc3339(credentials.refreshed_at),
    }


def write_login(path: Path, document: dict[str, Any], *, force: bool = False) -> None:
    """Write it as a whole or not at all, for its owner only. Raises FileThere without `force`, and CannotExport."""
    put_text(path, json.dumps(document, indent=2) + "\n", force=force)


def put_text(path: Path, text: str, *, force: bool = False) -> None:
    """The same for any text with a secret in it."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    except (OSError, ValueError) as e:
        raise _failed(path, e) from e
    written = Path(name)
    try:
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _put(written, path, force=force)
    except FileExistsError:
        raise FileThere(path) from None
    except OSError as e:
        raise _failed(path, e) from e
    finally:
        with suppress(OSError):
            written.unlink()
    _sync_folder(path.parent)


def _put(written: Path, path: Path, *, force: bool) -> None:
    if force:
        written.replace(path)
        return
    try:
        path.hardlink_to(written)  # unlike a rename it refuses, in one step, what is there already
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError from None
        written.replace(path)


def _sync_folder(folder: Path) -> None:
    """So that the name outlives a crash too, where folders can be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _failed(path: Path, error: Exception) -> CannotExport:
    return CannotExport(
        f"{path} could not be written ({getattr(error, 'strerror', None) or error}). Choose another file with --out."
    )


def rfc3339(moment: float) -> str | None:
    """A time as the client writes it, None for none."""
    try:
        return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z") if moment > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
