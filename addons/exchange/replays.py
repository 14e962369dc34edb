"""Requests that mitmproxy plays again: what they want of the pool, or why they are not sent. Pure.

A flow shows a mark where the client had a credential. The pool has its own to put there; for anything else nobody knows
it any more (addons/redaction/replay_check.py).
"""

from typing import Final

from mitmproxy import http

from addons.recording.annotations import PREFIX
from addons.redaction.flows import MARK, FlowRedactor
from addons.redaction.replay_check import drop_masked
from addons.wire import messages
from addons.wire.routes import Target

A_SOCKET: Final = (
    "it opens a WebSocket, and mitmproxy cannot play again what was said in one. Ask again with the client."
)
NO_POOL: Final = (
    "the pool that would answer it is not open here. Replay it where `codex-rotate serve --web` runs, or open a pool "
    "with at least one account (`codex-rotate login`)."
)
UNKNOWN: Final = "this mitmproxy plays requests again in a way that goes past the pool. Send it with the client."
_LOGGED_IN: Final = "Bearer of-the-client"


def target_of(flow: http.HTTPFlow) -> Target:
    """What the route is chosen by. The connection is yet to be made, and goes where the request says."""
    request = flow.request
    authorization = request.headers.get("authorization", "")
    if authorization == MARK.decode() and f"{PREFIX}transport" in flow.metadata:
        authorization = _LOGGED_IN  # the pool has served it before
    return Target(
        scheme=request.scheme,
        connected=(request.host, request.port),
        claimed=request.host_header or "",
        sni=None,
        method=request.method,
        path=request.path,
        tls=request.scheme == "https",
        authorization=authorization,
        upgrade=messages.is_upgrade(request),
    )


def tidy(request: http.Request, *, pooled: bool) -> None:
    """Make a recorded request one that can be sent: what is masked can be of another length, and in the head of one
    for the pool it says nothing."""
    if "content-length" in request.headers:
        request.headers["content-length"] = str(len(request.raw_content or b""))
    if pooled:
        drop_masked(request.headers)


def mask_earlier(flow: http.HTTPFlow, shown: FlowRedactor) -> None:
    """mitmproxy has kept the request as it was before, to be gone back to; whoever has put a secret in it has shown it
    to the flow once more."""
    earlier = getattr(flow, "_backup", None)
    if earlier and earlier.get("request"):
        request = http.Request.from_state(earlier["request"])
        shown.request_head(request)
        shown.request_body(request)
        earlier["request"] = request.get_state()


def why_not(target: Target, *, pooled: bool, played_by_us: bool, pool_is_open: bool) -> str:
    """Why a request is not played again; "" for one that is."""
    if not played_by_us:
        return UNKNOWN
    if target.upgrade:
        return A_SOCKET
    return NO_POOL if pooled and not pool_is_open else ""
