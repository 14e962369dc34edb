"""The table [notify] of config.toml: who is told when something happens to the pool, of what, and when not.

No reason that is given here repeats a value: any part of a mistyped one may be the secret.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from config.network.hosts import is_loopback

SHORTEST_SECRET: Final = 16
"""Characters."""
MOST_ARGUMENTS: Final = 100
MOST_MARKS: Final = 10
LONGEST: Final = 2_000
"""Characters of one text."""
_QUIET: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_NAME: Final = re.compile(r"\w{1,40}", re.ASCII)


class NoticeKind(StrEnum):
    """What somebody can be told of."""

    LOGIN_NEEDED = "login_needed"
    """An account serves nothing until somebody logs it in."""
    LOGIN_ENDS = "login_ends"
    """An account's login ends soon, and nothing renews it."""
    CERTIFICATE_ENDS = "certificate_ends"
    """The certificate that the proxy signs with ends soon."""
    POOL_DRY = "pool_dry"
    """Nobody serves."""
    POOL_BACK = "pool_back"
    """Somebody serves again, after a `pool_dry`."""
    POOL_LEFT = "pool_left"
    """No more than so much is left of the pool's scarcest window."""
    OVER_BUDGET = "over_budget"
    """A person has used up a budget."""


class QuietHours(NamedTuple):
    """In minutes of the day. One that begins later than it ends goes over midnight."""

    begin: int
    end: int

    def hold(self, minute: int) -> bool:
        """Whether nobody is told anything in this minute of the day."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def __str__(self) -> str:
        return "-".join(f"{each // 60:02}:{each % 60:02}" for each in self)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """At least one of `command`, a program and its arguments, and `webhook`, which has a `secret` or a `secret_file`.
    `pool_left` are percentages, the largest first."""

    command: tuple[str, ...] = field(default=(), repr=False)
    webhook: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    secret_file: str = ""
    events: frozenset[NoticeKind] = frozenset(NoticeKind)
    quiet: QuietHours | None = None
    pool_left: tuple[int, ...] = (20, 5)

    @property
    def place(self) -> str:
        """The webhook without what may be a secret in its path; "" for none."""
        url = urlsplit(self.webhook)
        return f"{url.scheme}://{url.netloc}/…" if self.webhook else ""

    @property
    def program(self) -> str:
        """The command without its arguments; "" for none."""
        return self.command[0] if self.command else ""


def read_notify(value: object) -> NotifySettings | None:
    """The table as the file has it; None for nothing. Raises ValueError with the rest of a sentence about it."""
    if value is None or isinstance(value, NotifySettings):
        return value
    if isinstance(value, str) and not value.strip():
        return None
    if not isinstance(value, Mapping):
        raise ValueError("must be a table [notify] in the file, with `command` or `webhook` in it")  # noqa: TRY004
    if not value:
        return None
    for name in value:
        if name not in _READERS:
            raise ValueError(f"has no key {_named(str(name), list(_READERS))}")
    found = NotifySettings(**{name: _READERS[name](given) for name, given in value.items()})
    if not found.command and not found.webhook:
        raise ValueError("needs `command` or `webhook`: without one of them nobody is told")
    if found.webhook and bool(found.secret) == bool(found.secret_file):
        one = "only one of them" if found.secret else "one of them"
        raise ValueError(f"needs `secret` or `secret_file`, {one}, to sign what it sends to `webhook`")
    return found


def shown_notify(found: NotifySettings | None) -> dict[str, Any] | None:
    """What may be shown of it: neither the secret, nor the webhook's path, nor the command's arguments."""
    if found is None:
        return None
    return {
        "command": found.program,
        "arguments": max(0, len(found.command) - 1),
        "webhook": found.place,
        "secret": "from a file" if found.secret_file else "set" if found.secret else "",
        "events": [str(each) for each in NoticeKind if each in found.events],
        "quiet": str(found.quiet) if found.quiet is not None else "",
        "pool_left": list(found.pool_left),
    }


# --- keys of the table -----------------------------------------------------------------------------------------------


def _command(value: object) -> tuple[str, ...]:
    texts = value if isinstance(value, list | tuple) else ()
    if not all(isinstance(each, str) and "\0" not in each for each in texts) or not texts or not texts[0].strip():
        raise ValueError('`command` must be a list of texts: a program and its arguments, such as ["my-notify", "-v"]')
    if len(texts) > MOST_ARGUMENTS or any(len(each) > LONGEST for each in texts):
        raise ValueError(f"`command` must have no more than {MOST_ARGUMENTS} texts of {LONGEST} characters")
    return tuple(texts)


def _webhook(value: object) -> str:
    shape = "`webhook` must be an address such as https://hooks.example/codex"
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(shape)
    try:
        url = urlsplit(value)
        host, _ = url.hostname or "", url.port
    except ValueError:
        raise ValueError(shape) from None
    if url.scheme not in {"https", "http"} or not host or len(value) > LONGEST:
        raise ValueError(shape)
    if url.scheme == "http" and not is_loopback(host):
        raise ValueError("`webhook` must be https, unless it is on this machine")
    if url.username is not None or url.password is not None or url.fragment:
        raise ValueError("`webhook` must have no user name, password or fragment")
    return value


def _secret(value: object) -> str:
    if not isinstance(value, str) or len(value.strip()) < SHORTEST_SECRET or len(value) > LONGEST:
        raise ValueError(f"`secret` must be a text of {SHORTEST_SECRET} characters or more")
    return value.strip()


def _secret_file(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("`secret_file` must name a file")
    try:
        place = Path(value.strip()).expanduser()
    except RuntimeError:
        place = Path(value.strip())
    if not place.is_absolute():
        raise ValueError("`secret_file` must be a whole path, or one below ~")
    return str(place)


def _events(value: object) -> frozenset[NoticeKind]:
    names = [str(each) for each in NoticeKind]
    if not isinstance(value, list | tuple) or not value or not all(isinstance(each, str) for each in value):
        raise ValueError(f"`events` must be a list of some of: {', '.join(names)}")
    for each in value:
        if each not in names:
            raise ValueError(f"`events` has {_named(each, names)}")
    return frozenset(NoticeKind(each) for each in value)


def _quiet(value: object) -> QuietHours | None:
    if value == "":
        return None
    found = _QUIET.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('`quiet` must be two times of the day, such as "22:00-07:00"')
    hours = [int(each) for each in found.groups()]
    quiet = QuietHours(hours[0] * 60 + hours[1], hours[2] * 60 + hours[3])
    if quiet.begin == quiet.end:
        raise ValueError("`quiet` must end at another time than it begins")
    return quiet


def _pool_left(value: object) -> tuple[int, ...]:
    marks = value if isinstance(value, list | tuple) else None
    if marks is None or len(marks) > MOST_MARKS or not all(type(each) is int and 1 <= each <= 99 for each in marks):
        raise ValueError(f"`pool_left` must be a list of at most {MOST_MARKS} whole numbers from 1 to 99")
    return tuple(sorted(set(marks), reverse=True))


_READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "command": _command,
    "webhook": _webhook,
    "secret": _secret,
    "secret_file": _secret_file,
    "events": _events,
    "quiet": _quiet,
    "pool_left": _pool_left,
}


def _named(name: str, known: list[str]) -> str:
    """A name that there is not, if it may be repeated, with the nearest one, or all."""
    shown = f"`{name}`" if _NAME.fullmatch(name) else "of that name"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"{shown}, perhaps {near[0]} is meant" if near else f"{shown}; there are {', '.join(known)}"
