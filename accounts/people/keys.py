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
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from accounts.model import fingerprint

NOBODY: Final = "-"
"""The user name that asks for no account, for programs that do not send a password without one."""
NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,39}")
LOCAL: Final = "local"
"""The key that commands of the pool's owner use on this machine. Where it is the only one it closes nothing."""


class Origin(StrEnum):
    """Where a connection comes from."""

    OWNER = "owner"
    """From the user who runs the proxy."""
    NEIGHBOUR = "neighbour"
    """From another user of this machine, root included."""
    UNTOLD = "untold"
    """From this machine; the system does not say whose it is."""
    ELSEWHERE = "elsewhere"


class Refusal(StrEnum):
    """Why a client may not use the proxy."""

    KEY_NEEDED = "key_needed"
    KEY_UNKNOWN = "key_unknown"
    KEY_REMOVED = "key_removed"
    KEY_EXPIRED = "key_expired"
    PERSON_PAUSED = "person_paused"
    OTHER_USER = "other_user"
    USER_UNTOLD = "user_untold"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client that may use the proxy: the name of its key ("": none is needed) and the account that it asks for."""

    key: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A client that may not. `name` is that of a key which was taken back or has expired, or of a person."""

    why: Refusal
    name: str = ""


@dataclass(frozen=True, slots=True)
class Introduced:
    """What a client said, believed or not."""

    user: str = ""
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKey:
    """A key as the pool knows it: by its digest. `person` is whose it is ("": nobody's in particular), `label` what its
    owner calls it, such as a machine. Times are seconds since the epoch; None: it does not expire, or was not used."""

    name: str
    digest: str = field(repr=False)
    person: str = ""
    label: str = ""
    created_at: float = 0.0
    expires_at: float | None = None
    used_at: float | None = None


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


def origin(*, here: bool, uid: int | None, own: int | None) -> Origin:
    """Whose connection it is: `here` on this machine, by the user `uid`, of a proxy that `own` runs; None is unknown.

    Root has no place of its own: what it runs may speak for others, and it can read the owner's key where it is to use
    the proxy.
    """
    if not here:
        return Origin.ELSEWHERE
    if uid is None or own is None:
        return Origin.UNTOLD
    return Origin.OWNER if uid == own else Origin.NEIGHBOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Whom a proxy lets in: `keys` has the name of each key by its digest, `gone` those that were taken back, `closed`
    why a key opens nothing now. `everyone_here`: without keys, every user of this machine and not its owner only."""

    keys: Mapping[str, str]
    gone: Mapping[str, str] = field(default_factory=dict)
    closed: Mapping[str, Refused] = field(default_factory=dict)
    everyone_here: bool = False


def admitted(said: Introduced, doors: Doors, place: Origin) -> Visitor | Refused:
    """Whether a client may use the proxy. Who shows a key may, from anywhere. Without one in the pool that somebody
    was given its owner may as well; with one, everybody needs one. A key that was taken back opens nothing, wherever
    it is shown: it is passed on, and a relay's connection is that of whoever runs the relay. One that is not known
    opens nothing to anybody but the owner, whose programs may still show one of an earlier pool."""
    user, secret = fingerprint(said.user), fingerprint(said.secret)
    as_user = doors.keys.get(user)  # http://KEY@HOST:PORT
    name = as_user or doors.keys.get(secret)
    given = any(each != LOCAL for each in doors.keys.values())
    open_here = not given and place is not Origin.ELSEWHERE and (place is Origin.OWNER or doors.everyone_here)
    removed = doors.gone.get(secret) or doors.gone.get(user)
    if name is not None and (closed := doors.closed.get(user if as_user else secret)) is not None:
        return closed
    if name is None and removed and not (open_here and removed == LOCAL):  # ours goes with the last key of others
        return Refused(Refusal.KEY_REMOVED, removed)
    unknown = bool(said.secret) and place is not Origin.OWNER
    if name is not None or (open_here and not unknown):
        return Visitor(key=name or "", account="" if as_user or said.user == NOBODY else said.user)
    return Refused(_not_let_in(said, place, given=given))


def _not_let_in(said: Introduced, place: Origin, *, given: bool) -> Refusal:
    """Why a client may not use the proxy that shows no key which the pool has, or had. `given`: others have one."""
    if said.secret:
        return Refusal.KEY_UNKNOWN
    if not given and place is Origin.NEIGHBOUR:
        return Refusal.OTHER_USER
    return Refusal.USER_UNTOLD if not given and place is Origin.UNTOLD else Refusal.KEY_NEEDED
