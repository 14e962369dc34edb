"""Whether an account can be used, read from what the provider answers to a question that spends nothing. Pure.

The question is GET `/wham/usage` with the account's own token (docs/codex-wire.md section 8).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from accounts.choice import quota
from accounts.choice.outcomes import WORD, Kind, Reply, error_of
from accounts.choice.quota import Window
from accounts.errors import UnsafeBackend
from accounts.model import Account, Credentials, Standing
from accounts.provider.standings import word_for, words_for
from accounts.tokens.lifetime import ends_within, is_over, leads
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
_SAYS: Final = frozenset({"allowed", "limit_reached", "primary_window", "secondary_window"})
"""Fields of a usage, of which a real one has some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """What came back. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFinding:
    """`at_limit`: the account is all right, but has used up its allowance. `windows` is how much of it is used.
    `detail` never holds a token. `word` is the provider's own for a refusal, or what ended the login
    (accounts/tokens/endings.py); "" for none."""

    verdict: Verdict
    detail: str = ""
    word: str = ""
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
    """Whether asking with this token would be in vain, or nearly: one that cannot be renewed is used to its end."""
    over = not credentials.access or is_over(credentials.expires_at, now)
    soon = ends_within(credentials.expires_at, leads(credentials).question, now)
    return over or (credentials.renewable and soon)


def read_answer(answer: ProviderAnswer, now: float) -> AccountFinding:
    """What the answer means. Only the provider's own words mark an account; of all else it is told what was seen. Never
    raises."""
    try:
        payload = json.loads(answer.body)
    except (ValueError, RecursionError):
        payload = None
    if answer.status == 200:
        return _usage(payload, now)
    reply = Reply(status=answer.status, headers=answer.headers, error=error_of(payload))
    seen = _seen(answer, reply, payload)
    if word := word_for(Kind.DEACTIVATED, reply):
        return AccountFinding(verdict=Verdict.DEACTIVATED, detail=seen, word=word)
    if answer.status == 401:
        code = reply.error.get("code")
        said = code if isinstance(code, str) and WORD.fullmatch(code) else ""
        return AccountFinding(verdict=Verdict.STALE, detail=seen, word=word_for(Kind.TOKEN_INVALIDATED, reply) or said)
    return AccountFinding(verdict=Verdict.UNKNOWN, detail=seen)


def read_renewal(renewal: Renewal, refused: AccountFinding, credentials: Credentials, now: float) -> AccountFinding:
    """What a refresh that brought no tokens means for an account whose token was `refused`. While that may serve on,
    the account needs no login yet: only its end, or a word of the provider's, says that it does not."""
    detail = ", ".join(filter(None, (refused.detail, f"refresh: {renewal.detail}")))
    over = not credentials.access or is_over(credentials.expires_at, now)
    if renewal.ended and (over or refused.word):
        return AccountFinding(verdict=Verdict.NEEDS_LOGIN, detail=detail, word=renewal.ended)
    return AccountFinding(verdict=Verdict.UNKNOWN, detail=detail)


def read_second_refusal(finding: AccountFinding) -> AccountFinding:
    """What it means that a token was refused which has just been renewed."""
    detail = f"{finding.detail}, with a new token too"
    marks = finding.word in words_for(Kind.TOKEN_INVALIDATED)
    return replace(finding, verdict=Verdict.NEEDS_LOGIN if marks else Verdict.UNKNOWN, detail=detail)


def _seen(answer: ProviderAnswer, reply: Reply, payload: object) -> str:
    """A refusal in words that hold nothing of its body but error codes."""
    words = " ".join(sorted(reply.words()))
    if words or payload is not None:
        return f"{answer.status} {words or 'without a code'}"
    return f"{answer.status}, {_page(answer) or 'without a body'}"


def _page(answer: ProviderAnswer) -> str:
    """What a body is that is no JSON, "" for none."""
    is_page = "html" in answer.headers.get("content-type", "") or answer.body.lstrip()[:1] == b"<"
    return "a page for browsers" if is_page and answer.body else "not JSON" if answer.body else ""


def _usage(payload: object, now: float) -> AccountFinding:
    limit = payload.get("rate_limit", ()) if isinstance(payload, dict) else ()
    if not isinstance(payload, dict) or not (limit is None or (isinstance(limit, dict) and _SAYS & limit.keys())):
        return AccountFinding(verdict=Verdict.UNKNOWN, detail="200, but not an account's usage")
    said = limit or {}
    at_limit = said.get("limit_reached") is True or said.get("allowed") is False
    return AccountFinding(verdict=Verdict.USABLE, at_limit=at_limit, windows=quota.from_usage(payload, now))
