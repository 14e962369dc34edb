"""What the client asks chatgpt.com beside model answers (docs/codex-wire.md sections 1, 1.1 and 8)."""

from collections.abc import Callable
from typing import Any

from standin.accounts import Account
from standin.faults import CATALOGUE_PATH
from standin.replies import EMPTY_OBJECT, INVALIDATED, Reply, error_reply, json_reply

type Endpoint = Callable[[Account, float], Reply]


def _models(_account: Account, _now: float) -> Reply:
    return json_reply({"models": []}, headers=(("etag", 'W/"stand-in"'),))


def _accounts_check(account: Account, _now: float) -> Reply:
    entries = [
        {
            "id": who.account_id,
            "name": who.name,
            "plan_type": who.plan,
            "structure": "workspace" if who.name else "personal",
            "workspace_backend_origin": who.backend_origin,
            "account_routing_override": who.routing_override,
        }
        for who in account.workspaces
    ]
    ordering = [entry["id"] for entry in entries]
    return json_reply({"accounts": entries, "account_ordering": ordering, "default_account_id": account.account_id})


PAGE = (("content-type", "text/html; charset=UTF-8"),)
_HTML = b"<!DOCTYPE html><html><head><title>Something</title></head><body>A page for browsers</body></html>"
USAGE_ANSWERS: dict[str, Reply] = {
    "html_200": Reply(200, PAGE, _HTML),
    "html_401": Reply(401, PAGE, _HTML),
    "html_402": Reply(402, PAGE, _HTML),
    "html_403": Reply(403, PAGE, _HTML),
    "empty_object": EMPTY_OBJECT,
    "empty_402": Reply(402),
    "empty_404": Reply(404),
    "empty_500": Reply(500),
    "deactivated_without_code": json_reply({"detail": "Your account has been deactivated."}, 401),
    "deactivated_workspace": json_reply({"detail": {"code": "deactivated_workspace"}}, 402),
    "account_deactivated": error_reply(403, "account_deactivated", "Your OpenAI account has been deactivated."),
    "token_invalidated": INVALIDATED,
}
"""What `Account.usage_gets` may be told."""


def _usage(account: Account, now: float) -> Reply:
    if name := account.of_usage.take():
        return USAGE_ANSWERS[name]
    who, windows = account.identity, (account.primary, account.secondary)
    reached = any(window is not None and window.used_percent >= 100 for window in windows)
    limit: dict[str, Any] = {"allowed": not reached, "limit_reached": reached}
    for name, window in zip(("primary_window", "secondary_window"), windows, strict=True):
        limit[name] = window.as_usage(now) if window else None
    return json_reply(
        {
            "user_id": who.user_id,
            "account_id": who.account_id,
            "email": who.email,
            "plan_type": who.plan,
            "rate_limit": limit,
            "additional_rate_limits": [],
            "credits": {"has_credits": False, "unlimited": False, "balance": None},
        }
    )


def _nothing(_account: Account, _now: float) -> Reply:
    return EMPTY_OBJECT


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", CATALOGUE_PATH): _models,
    ("GET", "/backend-api/wham/accounts/check"): _accounts_check,
    ("GET", "/backend-api/wham/usage"): _usage,
    ("GET", "/backend-api/wham/settings/user"): _nothing,
    ("GET", "/backend-api/wham/config/bundle"): _nothing,
}
"""Paths with an answer of their own; any other below `/backend-api/codex/` gets `{}`, any other at all 404."""
