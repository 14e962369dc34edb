"""Keys of clients, and what a client says of itself in its proxy credentials. Pure.

The client sends `user:password` of the proxy's address with every CONNECT (docs/codex-wire.md section 6). The password
is its key; the user name may ask for one account of the pool. The pool keeps digests of keys, never a key.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from accounts.model import fingerprint

NOBODY: Final = "-"
"""The user name that asks for no account, for programs that do not send a password without one."""
NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,39}")
LOCAL: Final = "local"
"""The key that commands of the pool's owner use on this machine."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client that may use the proxy: the name of its key ("": none is needed) and the account that it asks for."""

    key: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Introduced:
    """What a client said, believed or not."""

    user: str = ""
    secret: str = field(default="", repr=False)


def new_secret() -> str:
    """A key nobody can guess, of characters that an address takes as they are."""
    return secrets.token_urlsafe(32)


def introduced(header: str) -> Introduced:
    """What a `Proxy-Authorization` header says; one that is not Basic, or broken, says nothing."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return Introduced()
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return Introduced()
    user, _, secret = text.partition(":")
    return Introduced(user=unquote(user), secret=secret)


def welcome(visitor: Visitor | None, keys: Mapping[str, str], *, here: bool) -> bool:
    """Whether a client that was let in once may stay: its key may be gone since, or keys may have come to be needed."""
    return visitor is not None and (visitor.key in keys.values() or (here and not keys))


def admitted(said: Introduced, keys: Mapping[str, str], *, here: bool) -> Visitor | None:
    """The client as a visitor; None if it may not come in. `keys` has the name of each key by its digest: where there
    is none, everybody on this machine (`here`) may, and nobody else.
    """
    as_user = keys.get(fingerprint(said.user))  # http://KEY@HOST:PORT
    name = as_user or keys.get(fingerprint(said.secret))
    if name is None and (keys or not here):
        return None
    return Visitor(key=name or "", account="" if as_user or said.user == NOBODY else said.user)
