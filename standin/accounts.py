"""One account of the stand-in as tests hold it. Every method may be called from any thread."""

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from standin.records import Headers
from standin.tokens import Grant, Identity, Ledger

NO_CONSTRAINT = "NO_CONSTRAINT"


class AccountDetails(TypedDict, total=False):
    """What may be said of a new account; see `Identity` for the units."""

    user_id: str
    email: str
    plan: str
    fedramp: bool
    expires_in: float
    backend_origin: str
    routing_override: str
    name: str


def identity(account_id: str, details: AccountDetails) -> Identity:
    """An identity with the defaults filled in."""
    defaults: dict[str, Any] = {
        "user_id": f"user-of-{account_id}",
        "email": f"{account_id}@example.com",
        "plan": "plus",
        "fedramp": False,
        "expires_in": 3600.0,
        "backend_origin": NO_CONSTRAINT,
        "routing_override": NO_CONSTRAINT,
        "name": "",
    }
    return Identity(account_id=account_id, **(defaults | dict(details)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One quota window: percent used, length in minutes, seconds until it resets."""

    used_percent: float
    minutes: int
    resets_in: float

    def as_event(self, now: float) -> dict[str, Any]:
        """As in a `codex.rate_limits` event, docs/codex-wire.md section 3."""
        reset_at = int(now + self.resets_in)
        return {"used_percent": self.used_percent, "window_minutes": self.minutes, "reset_at": reset_at}

    def as_usage(self, now: float) -> dict[str, Any]:
        """As in `/wham/usage`, docs/codex-wire.md section 8."""
        return {
            "used_percent": self.used_percent,
            "limit_window_seconds": self.minutes * 60,
            "reset_after_seconds": int(self.resets_in),
            "reset_at": int(now + self.resets_in),
        }


class Said:
    """What an endpoint says of an account instead of the truth, by name, for so many times (None: until taken back)."""

    def __init__(self) -> None:
        self.name = ""
        self.left: int | None = None

    def set(self, name: str, times: int | None) -> None:
        self.name, self.left = name, times

    def take(self) -> str:
        """The name of the answer to one request, "" for the truth."""
        name = self.name
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.set("", None)
        return name


class Account:
    """One seat and its tokens."""

    def __init__(self, who: Identity, ledger: Ledger, lock: threading.Condition, clock: Callable[[], float]) -> None:
        self.identity = who
        self.answer = f"Hello from {who.account_id}."
        self.primary: Window | None = Window(used_percent=12.0, minutes=300, resets_in=3600)
        self.secondary: Window | None = Window(used_percent=34.0, minutes=10080, resets_in=86400)
        self.tokens_live: float | None = None
        """Seconds, for the access tokens that a refresh gives; None: as long as the first one."""
        self.at_token_endpoint, self.of_usage = Said(), Said()
        self._ledger, self._lock, self._clock = ledger, lock, clock
        self.grant: Grant = ledger.issue(who, clock())

    @property
    def account_id(self) -> str:
        """The workspace."""
        return self.identity.account_id

    @property
    def user_id(self) -> str:
        """The person."""
        return self.identity.user_id

    @property
    def workspaces(self) -> tuple[Identity, ...]:
        """Every seat of the same person, in the order they were added."""
        with self._lock:
            owners = {token.owner.key: token.owner for token in self._ledger.refresh.values()}
        return tuple(each for each in owners.values() if each.user_id == self.user_id)

    @property
    def access_token(self) -> str:
        """The access token issued last."""
        with self._lock:
            return self.grant.access

    @property
    def refresh_token(self) -> str:
        """The refresh token issued last."""
        with self._lock:
            return self.grant.refresh

    @property
    def access_tokens_issued(self) -> tuple[str, ...]:
        """Every access token ever issued, oldest first."""
        with self._lock:
            return tuple(token.value for token in self._ledger.issued(self._ledger.access, self.identity))

    @property
    def refresh_tokens_issued(self) -> tuple[str, ...]:
        """Every refresh token ever issued, oldest first."""
        with self._lock:
            return tuple(token.value for token in self._ledger.issued(self._ledger.refresh, self.identity))

    def auth_json(self) -> dict[str, Any]:
        """The official client's auth.json for this account, docs/codex-wire.md section 4."""
        with self._lock:
            refreshed = dt.datetime.fromtimestamp(self.grant.at, tz=dt.UTC)
            return {
                "auth_mode": "chatgpt",
                "OPENAI_API_KEY": None,
                "tokens": {
                    "id_token": self.grant.id_token,
                    "access_token": self.grant.access,
                    "refresh_token": self.grant.refresh,
                    "account_id": self.account_id,
                },
                "last_refresh": refreshed.isoformat().replace("+00:00", "Z"),
            }

    def expire(self) -> None:
        """From now on every access token issued so far gets 401 `token_expired`; refreshing still works."""
        with self._lock:
            for token in self._ledger.issued(self._ledger.access, self.identity):
                token.expired = True

    def revoke(self) -> None:
        """From now on every token issued so far gets 401: `token_invalidated`, `refresh_token_invalidated`."""
        with self._lock:
            for tokens in (self._ledger.access, self._ledger.refresh):
                for token in self._ledger.issued(tokens, self.identity):
                    token.revoked = True

    def refreshes_get(self, answer: str, times: int | None = None) -> None:
        """What a refresh of this account gets from now on: a name of TOKEN_ANSWERS (oauth.py), "" for the truth."""
        with self._lock:
            self.at_token_endpoint.set(answer, times)

    def usage_gets(self, answer: str, times: int | None = None) -> None:
        """What `/wham/usage` answers from now on: a name of USAGE_ANSWERS (backend.py), "" for the truth."""
        with self._lock:
            self.of_usage.set(answer, times)

    def limits(self, *, primary: Window | None, secondary: Window | None) -> None:
        """What the account's rate-limit headers, events and `/wham/usage` say from now on; None leaves a window out."""
        with self._lock:
            self.primary, self.secondary = primary, secondary

    def rate_limit_headers(self, now: float) -> Headers:
        """The `x-codex-` headers of an answer, docs/codex-wire.md section 2.3."""
        headers: list[tuple[str, str]] = []
        for name, window in (("primary", self.primary), ("secondary", self.secondary)):
            if window is not None:
                headers += [
                    (f"x-codex-{name}-used-percent", f"{window.used_percent:g}"),
                    (f"x-codex-{name}-window-minutes", str(window.minutes)),
                    (f"x-codex-{name}-reset-at", str(int(now + window.resets_in))),
                ]
        return tuple(headers)
