"""Whether an account can be used, read from what the provider answers to a question that spends nothing. Pure.

The question is GET `/wham/usage` with the account's own token (docs/codex-wire.md section 8).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from accounts.choice import quota
from accounts.choice.outcomes import Kind, Reply, classify, error_of
from accounts.choice.quota import Window
from accounts.errors import UnsafeBackend
from accounts.model import Account, Credentials, Standing
from accounts.tokens.lifetime import FOR_QUESTION, ends_within
from accounts.tokens.oauth import Renewal
from config.network.hosts import is_loopback


class Verdict(StrEnum):
    USABLE = "usable"
    STALE = "stale"
    """The access token is refused or over: only a refresh tells more."""
    NEEDS_LOGIN = "needs_login"
    DEACTIVATED = "deactivated"
    UNKNOWN = "unknown"


STANDINGS: Final[Mapping[Verdict, Standing]] = {
    Verdict.USABLE: Standing.GOOD,
    Verdict.NEEDS_LOGIN: Standing.NEEDS_LOGIN,
    Verdict.DEACTIVATED: Standing.DEACTIVATED,
}
"""What a verdict makes of an account's standing; the others change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """What came back. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFinding:
    """`at_limit`: the account is all right, but has used up its allowance. `windows` is how much of it is used.
    `detail` never holds a token."""

    verdict: Verdict
    detail: str = ""
    at_limit: bool = False
    windows: tuple[Window, ...] = ()


def usage_url(base_url: str) -> str:
    """Where to ask. Raises UnsafeBackend for a backend that a token must not go to."""
    url = urlsplit(base_url)
    if not url.hostname or not (url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname))):
        raise UnsafeBackend(base_url)
    return f"{base_url.rstrip('/')}/wham/usage"


def headers(account: Account, credentials: Credentials) -> dict[str, str]:
    """What the question carries."""
    fields = {"authorization": f"Bearer {credentials.access}", "chatgpt-account-id": account.account_id}
    if account.fedramp:
        fields["x-openai-fedramp"] = "true"
    if account.routing_override is not None:
        fields["x-openai-account-routing-override"] = account.routing_override
    return fields


def is_stale(credentials: Credentials, now: float) -> bool:
    """Whether asking with this token would be in vain."""
    return not credentials.access or ends_within(credentials.expires_at, FOR_QUESTION, now)


def read_answer(answer: ProviderAnswer, now: float) -> AccountFinding:
    """What the answer means. Never raises."""
    try:
        payload = json.loads(answer.body)
    except (ValueError, RecursionError):
        payload = None
    if answer.status == 200:
        return _usage(payload, now)
    outcome = classify(Reply(status=answer.status, headers=answer.headers, error=error_of(payload)), now)
    match outcome.kind:
        case Kind.DEACTIVATED:
            return AccountFinding(verdict=Verdict.DEACTIVATED, detail=outcome.detail)
        case Kind.TOKEN_EXPIRED | Kind.TOKEN_INVALIDATED:
            return AccountFinding(verdict=Verdict.STALE, detail=outcome.detail)
    return AccountFinding(verdict=Verdict.UNKNOWN, detail=outcome.detail)


def read_renewal(renewal: Renewal) -> AccountFinding:
    """What a refresh that brought no tokens means."""
    verdict = Verdict.NEEDS_LOGIN if renewal.dead else Verdict.UNKNOWN
    return AccountFinding(verdict=verdict, detail=f"refresh: {renewal.detail}")


def _usage(payload: object, now: float) -> AccountFinding:
    if not isinstance(payload, dict) or not isinstance(payload.get("rate_limit"), dict | None):
        return AccountFinding(verdict=Verdict.UNKNOWN, detail="200, but not an account's usage")
    limit = payload.get("rate_limit") or {}
    at_limit = limit.get("limit_reached") is True or limit.get("allowed") is False
    return AccountFinding(verdict=Verdict.USABLE, at_limit=at_limit, windows=quota.from_usage(payload, now))
