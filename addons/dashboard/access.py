"""Who may see the page, and as whom: its owner everything, others with their key what is theirs.

A session is what its cookie says and nobody else can write, so that it outlives a proxy that starts again. It ends with
its time, and a person's with their key.
"""

import hmac
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from accounts.model import fingerprint
from accounts.people.keys import LOCAL
from accounts.people.registry import PeopleRegistry
from config.page.token import read_code, signed

SESSION_SECONDS: Final = 7 * 86_400.0
OWNER: Final = "owner"
_MARK: Final = 16
"""Letters of a key's digest in a session: enough to tell it from the one that had its name before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who was let in. `person` is the name under which they use the pool, "" for the owner."""

    person: str
    cookie: str = field(repr=False)

    @property
    def is_owner(self) -> bool:
        return not self.person


@dataclass(frozen=True, slots=True, kw_only=True)
class PageDoors:
    """The keys of clients, by digest with their names, and who has them."""

    keys: Mapping[str, str] = field(default_factory=dict)
    registry: PeopleRegistry = field(default_factory=PeopleRegistry)

    def person(self, digest: str, now: float) -> str:
        """Under which name whoever has this key uses the pool; "" for a key that opens nothing."""
        name = self.keys.get(digest, "")
        if not name or digest in self.registry.closed(now):
            return ""
        person = self.registry.of_key(name)
        return person.name if person is not None else name


class PageAccess:
    """`doors` tells the keys as they are now."""

    def __init__(self, token: str, doors: Callable[[], PageDoors]) -> None:
        self._token = token
        self._doors = doors
        self._used: dict[str, float] = {}
        """Codes that were used, and when each is over."""

    def entered(self, shown: str, now: float, *, trusted: bool = True) -> Session | None:
        """The session of somebody who shows the token, a code of it, or a key; None for anything else. `trusted`: it
        is not known to be another user of this machine, who could have read a code from a list of processes."""
        if not shown:
            return None
        if self.is_token(shown) or self._code_opens(shown, now):
            return self._begun(OWNER, "", now) if trusted else None
        digest = fingerprint(shown)
        doors = self._doors()
        person = doors.person(digest, now)
        if not person:
            return None
        if doors.keys[digest] == LOCAL:
            return self._begun(OWNER, "", now) if trusted else None
        return self._begun(digest[:_MARK], person, now)

    def is_token(self, shown: str) -> bool:
        """Whether it is the token itself."""
        return hmac.compare_digest(shown.encode(), self._token.encode())

    def session(self, cookie: str, now: float) -> Session | None:
        """Whose session it is; None for one that is over, or was never begun here."""
        said, _, proof = cookie.rpartition(".")
        if not hmac.compare_digest(proof.encode(), signed(self._token, f"session.{said}").encode()):
            return None
        who, _, ends = said.partition(".")
        if not ends.isdigit() or not now < float(ends) <= now + SESSION_SECONDS + 60:
            return None
        if who == OWNER:
            return Session(person="", cookie=cookie)
        doors = self._doors()
        digest = next((each for each in doors.keys if each.startswith(who)), "")
        person = doors.person(digest, now) if digest else ""
        return Session(person=person, cookie=cookie) if person else None

    def csrf(self, session: Session) -> str:
        """What a form of this session's page shows, and a page of somebody else cannot know."""
        return signed(self._token, f"csrf.{session.cookie}")

    def may_change(self, session: Session, shown: str) -> bool:
        return hmac.compare_digest(shown.encode(), self.csrf(session).encode())

    def _code_opens(self, shown: str, now: float) -> bool:
        code = read_code(self._token, shown)
        if code is None or not now < code.ends < math.inf or code.nonce in self._used:
            return False
        self._used = {nonce: ends for nonce, ends in self._used.items() if ends > now} | {code.nonce: code.ends}
        return True

    def _begun(self, who: str, person: str, now: float) -> Session:
        said = f"{who}.{int(now + SESSION_SECONDS)}"
        return Session(person=person, cookie=f"{said}.{signed(self._token, f'session.{said}')}")
