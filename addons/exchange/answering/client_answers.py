"""What the client asks beside the model, as far as we answer it ourselves. docs/codex-wire.md sections 1.1 and 8."""

import json
from collections.abc import Mapping
from typing import Final

from mitmproxy import http

from config.provider import PROVIDER

ROUTING: Final = f"{PROVIDER.backend_path}/wham/accounts/check"
POLICY: Final = f"{PROVIDER.backend_path}/wham/config/bundle"
SETTINGS: Final = f"{PROVIDER.backend_path}/wham/settings/user"
USAGE: Final = f"{PROVIDER.backend_path}/wham/usage"
OWN_ID: Final = "chatgpt-account-id"


def routing(own: str) -> http.Response:
    """What the client needs to go on to the model, with its own account."""
    free = "NO_CONSTRAINT"
    return told({"accounts": [{"id": own, "workspace_backend_origin": free, "account_routing_override": free}]})


def told(document: Mapping[str, object]) -> http.Response:
    return http.Response.make(200, json.dumps(document), {"content-type": "application/json"})
