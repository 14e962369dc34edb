"""The values the pool is made of. All are frozen; secrets are kept out of `repr`. No I/O, no clock."""

from dataclasses import dataclass, field
from enum import StrEnum


class Standing(StrEnum):
    """What the provider thinks of an account's credentials."""

    GOOD = "good"
    NEEDS_LOGIN = "needs_login"
    """Its tokens serve no more and cannot be renewed: only a new login helps."""
    DEACTIVATED = "deactivated"
    """The workspace or the account was closed; a new login would not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One seat: an account id (the workspace) and a user id. Team seats share the first, one e-mail can own two.

    `backend_origin` and `routing_override` are what `/wham/accounts/check` says of this account: the https origin its
    requests belong to (None: chatgpt.com) and the value of `x-openai-account-routing-override` (None: no header).
    `added_at` is in seconds since the epoch. `reserve_percent` of every quota window is left to the owner.
    `standing_reason` is the word that led to the standing (accounts/tokens/endings.py), "" where nobody knows one.
    """

    account_id: str
    user_id: str
    label: str
    email: str = ""
    plan: str = ""
    fedramp: bool = False
    backend_origin: str | None = None
    routing_override: str | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    priority: int = 0
    reserve_percent: int = 0
    enabled: bool = True
    standing: Standing = Standing.GOOD
    standing_reason: str = ""
    added_at: float = 0.0

    @property
    def key(self) -> str:
        """What identifies the seat everywhere: in the store, in a lease, in a lock's name."""
        return f"{self.account_id}:{self.user_id}"

    @property
    def handle(self) -> str:
        """A name for the seat that needs no escaping anywhere, an address's user name included."""
        return f"account-{fingerprint(self.key)[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The tokens of one account. `expires_at` is the access token's `exp`, None for one that does not say.

    `own`: they come from a login of the pool's own, so nobody else holds them. Others may be the official client's too.
    `ended`: why the refresh token is never sent again (accounts/tokens/endings.py), "" while it may be; the access
    token serves until its own end.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    id_token: str = field(repr=False, default="")
    expires_at: float | None = None
    refreshed_at: float = 0.0
    own: bool = False
    ended: str = ""

    @property
    def renewable(self) -> bool:
        """Whether there is a refresh token that may be sent."""
        return bool(self.refresh) and not self.ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """Until when an account rests, and the outcome that caused it. Times are seconds since the epoch."""

    until: float
    reason: str
    since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LooksTaken:
    """How often an account that is out of service was looked at since it is, and when last (`times` 0: since when it is
    waited for). In seconds since the epoch."""

    times: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Affinity:
    """The account a thread belongs to, and when the thread was last used.

    `detour` is the account that serves it while its own cannot, since `detoured_at`. `owner` is the one whose
    compaction its history holds: no other can read that. All are keys; "" for none.
    """

    thread: str
    key: str
    used_at: float
    detour: str = ""
    detoured_at: float = 0.0
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the pool's bounded history: what happened to which account, and why. Never holds a token."""

    at: float
    kind: str
    key: str = ""
    thread: str = ""
    detail: str = ""


def masked(token: str) -> str:
    """A token as it may be shown: enough to tell two apart, too little to use."""
    return f"…{token[-4:]}" if len(token) > 16 else "…"


def fingerprint(token: str) -> str:
    """What tells a token from every other and cannot be turned back into it."""
    import hashlib  # late: OpenSSL

    return hashlib.sha256(token.encode()).hexdigest()
