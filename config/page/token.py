"""What opens the page of this user's proxies: a token in our folder, which nobody else can read, and codes of it that
are good once.

A browser is started with the address as an argument, which every user of a machine can read. So it is given a code.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from config import paths
from config.files import put_new, write_private

CODE_SECONDS: Final = 300.0
"""So long a code is good: a person may have to copy it."""
_KIND: Final = "once"


class PageCode(NamedTuple):
    """A code that somebody has made who knows the token. `ends` is in seconds since the epoch."""

    ends: float
    nonce: str


def token_file(environ: Mapping[str, str] = os.environ) -> Path:
    return paths.home(environ) / "page.token"


def known_token(environ: Mapping[str, str] = os.environ) -> str:
    """The token; "" where no page has been there yet."""
    with suppress(OSError, ValueError):
        return token_file(environ).read_text("ascii").strip()
    return ""


def own_token(environ: Mapping[str, str] = os.environ) -> str:
    """The token, made if there is none yet. It stays, so that a browser is still let in when the proxy starts again.
    Raises OSError."""
    if found := known_token(environ):
        return found
    paths.make_private_folder(token_file(environ).parent)
    with suppress(FileExistsError):
        write_private(token_file(environ), secrets.token_urlsafe(32).encode(), put=put_new)
    return known_token(environ)


def signed(token: str, said: str) -> str:
    """What only somebody who knows the token can add to these words."""
    return hmac.new(token.encode(), said.encode(), hashlib.sha256).hexdigest()


def new_code(token: str, now: float) -> str:
    """A code that is good once, for a while."""
    said = f"{_KIND}.{int(now + CODE_SECONDS)}.{secrets.token_hex(8)}"
    return f"{said}.{signed(token, said)}"


def read_code(token: str, text: str) -> PageCode | None:
    """None for what was not made with this token. Whether it is over, or was used, is for who reads it."""
    said, _, proof = text.rpartition(".")
    if not hmac.compare_digest(proof.encode(), signed(token, said).encode()):
        return None
    kind, _, rest = said.partition(".")
    ends, _, nonce = rest.partition(".")
    return PageCode(float(ends), nonce) if kind == _KIND and ends.isdigit() else None
