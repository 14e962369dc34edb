"""Which workspaces a login has, and where the requests of each belong. Pure.

The question is GET `/wham/accounts/check` with the login's own token (docs/codex-wire.md section 1.1).
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from accounts.logins.auth_file import Login, fits_a_header
from accounts.origin import PROVIDER_HOST
from accounts.provider.usage import usage_url

OVERRIDES: Final = frozenset({"us", "us_cr"})
"""The regions that `account_routing_override` may name."""

_LONGEST: Final = 60
"""Characters of a name or a plan that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """One workspace of a person; "" for what is not said of it. The last two are as in accounts.model.Account."""

    account_id: str
    name: str = ""
    plan: str = ""
    structure: str = ""
    backend_origin: str | None = None
    routing_override: str | None = None


def check_url(base_url: str) -> str:
    """Where to ask. Raises UnsafeBackend for a backend that a token must not go to."""
    return usage_url(base_url).removesuffix("usage") + "accounts/check"


def read_workspaces(body: bytes) -> tuple[Workspace, ...]:
    """The workspaces in an answer, in the provider's own order; none in one that cannot be understood. Never raises.

    An id that occurs twice is left out, because nobody can tell which entry is right; the official client refuses it
    too.
    """
    payload = _object(body)
    entries = payload.get("accounts")
    found = [_workspace(each) for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    times = Counter(each.account_id for each in found)
    places = _places(payload.get("account_ordering"))
    listed = [each for each in found if each.account_id and times[each.account_id] == 1]
    return tuple(sorted(listed, key=lambda each: places.get(each.account_id, len(places))))


def routed(login: Login, workspace: Workspace) -> Login:
    """The login with its workspace's routing."""
    origin, override = workspace.backend_origin, workspace.routing_override
    return replace(login, account=replace(login.account, backend_origin=origin, routing_override=override))


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    return payload if isinstance(payload, dict) else {}


def _workspace(entry: Mapping[str, Any]) -> Workspace:
    account_id = entry.get("id")
    return Workspace(
        account_id=account_id if isinstance(account_id, str) and fits_a_header(account_id) else "",
        name=_shown(entry.get("name")),
        plan=_shown(entry.get("plan_type")),
        structure=_shown(entry.get("structure")),
        backend_origin=_origin(entry.get("workspace_backend_origin")),
        routing_override=_override(entry.get("account_routing_override")),
    )


def _origin(value: object) -> str | None:
    """An https origin of the provider. NO_CONSTRAINT is none, and a token never goes to anybody else's host."""
    host = value.removeprefix("https://") if isinstance(value, str) else ""
    return value if isinstance(value, str) and host != value and PROVIDER_HOST.fullmatch(host) else None


def _override(value: object) -> str | None:
    return value if isinstance(value, str) and value in OVERRIDES else None


def _shown(value: object) -> str:
    """Text that may be written to a terminal."""
    text = value.strip() if isinstance(value, str) else ""
    return text[:_LONGEST] if text.isprintable() else ""


def _places(ordering: object) -> dict[str, int]:
    """The place of each id in `account_ordering`."""
    ids = ordering if isinstance(ordering, list) else []
    return {each: place for place, each in enumerate(ids) if isinstance(each, str)}
