"""An account's login as a file that the official client reads (docs/codex-wire.md section 4)."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accounts.errors import CannotExport, FileThere
from accounts.model import Account, Credentials
from accounts.tokens.claims import read_claims
from config.files import put_new, sync_folder, write_private


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
        write_private(path, text.encode(), put=Path.replace if force else put_new)
    except FileExistsError:
        raise FileThere(path) from None
    except (OSError, ValueError) as e:
        raise _failed(path, e) from e
    with suppress(OSError):
        sync_folder(path.parent)


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
