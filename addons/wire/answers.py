"""Answers of our own: what a client gets when no account can serve, or when we refuse. Pure.

A limit is told in the exact shape upstream uses, so that the client prints its own message with the right time
(docs/codex-wire.md section 3). Everything that is our doing says so: its type begins with `codex_rotate_`.
"""

import functools
import json
import logging
import math
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from mitmproxy import http

from accounts.choice.outcomes import Kind
from accounts.choice.selection import Exclusion, Exhausted
from addons.wire.events import ERROR, FAILED, decoded, event_type, reply_of

RULES: Final[Mapping[str, str]] = {
    Exclusion.PIN: "The account that codex-rotate is pinned to cannot serve this request. Take back what pinned it "
    "(`codex-rotate use --auto`, the setting `pinned_account`, --account of this launch), or wait",
    Exclusion.PERSON: "No account that this person may use can serve this request. Ask the pool's owner for others "
    "(`codex-rotate people set NAME --accounts`), or wait",
    Exclusion.RESERVED: "What is left of the quota is kept for the accounts' owners, as they reserved it. Lower it, or "
    "wait",
    Exclusion.MODEL: "No account of the pool may use this model. Choose another one, or add an account of a larger "
    "plan",
}
"""What the pool's own rules are told as. A thread that waits for one account waits for that one's limit, upstream's."""

logger = logging.getLogger(__name__)

DEFECT: Final = "codex-rotate failed while handling this request and did not send it. See the proxy's log."


RECONNECT: Final = json.dumps(
    {
        "type": "error",
        "status": 400,
        "error": {
            "type": "invalid_request_error",
            "code": "websocket_connection_limit_reached",
            "message": "codex-rotate: please reconnect; another account takes over.",
        },
    }
).encode()
"""On a WebSocket: the error on which the client reconnects at once and in silence, with its whole history
(docs/codex-wire.md section 1.2)."""


TAKEN_OVER: Final = "codex-rotate: the account has failed within its answer; please ask again, another one takes over."
RETRY_STREAM: Final = (
    f"event: {FAILED}\ndata: "
    + json.dumps({"type": FAILED, "response": {"error": {"code": "server_error", "message": TAKEN_OVER}}})
    + "\n\n"
).encode()
"""In a stream of events: the failure after which the client asks again by itself (docs/codex-wire.md section 3)."""


def failed_closed() -> http.Response:
    """503: something of ours went wrong; the request was not sent."""
    return error(503, "codex_rotate_defect", DEFECT)


def off_its_route() -> http.Response:
    """503: another addon has made of a request what may not carry an account's token; it was not sent."""
    return error(
        503,
        "codex_rotate_off_route",
        "Another mitmproxy addon, or an option such as map_remote, has changed the host, path or method of this "
        "request, so codex-rotate did not send it. Leave out what changes requests to the model, and try again.",
    )


def unverified() -> http.Response:
    """503: an account's token would have gone to a server that nobody has verified; it was not sent."""
    return error(
        503,
        "codex_rotate_unverified",
        "This codex-rotate proxy was started with ssl_insecure, so nobody verifies the server, and that is not on this "
        "machine. The request was not sent. Start the proxy without ssl_insecure; where you know whose server it "
        "is, --set rotate_allow_insecure=true sends the accounts' tokens there all the same.",
    )


def log_defect(what: str, error: Exception) -> None:
    """One line: what that led to, and where our code failed. The whole traceback is there at log level debug."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    logger.error("codex-rotate: %s because of a defect in the addon: %s in %s", what, type(error).__name__, where)
    logger.debug("codex-rotate: the defect", exc_info=error)


def fail_closed(hook: Callable[[Any, http.HTTPFlow], None]) -> Callable[[Any, http.HTTPFlow], None]:
    """For hooks that handle credentials. mitmproxy sends a request on when a hook raises; this answers it instead."""

    @functools.wraps(hook)
    def closed(addon: Any, flow: http.HTTPFlow) -> None:
        try:
            hook(addon, flow)
        except Exception as e:  # noqa: BLE001 - the border: whatever goes wrong, nothing leaves
            log_defect("a request was refused", e)
            flow.response = failed_closed()

    return closed


def in_band_defect() -> bytes:
    """The same on a WebSocket: the turn ends with an error of ours."""
    described = {"type": "codex_rotate_defect", "code": "codex_rotate_defect", "message": DEFECT}
    return json.dumps({"type": ERROR, "status": 503, "error": described}).encode()


def in_band(response: http.Response) -> bytes:
    """An answer of ours as a message on a WebSocket."""
    told = {"type": ERROR, "status": response.status_code, **decoded(response.raw_content or b"")}
    wait = response.headers.get("retry-after")
    return json.dumps(told | ({"headers": {"retry-after": wait}} if wait else {})).encode()


STATUS_OF: Final[Mapping[Kind, int]] = {
    Kind.USAGE_LIMIT: 429,
    Kind.NO_CREDIT: 429,
    Kind.BURST_LIMIT: 429,
    Kind.OVERLOADED: 503,
    Kind.REQUEST_FAULT: 400,
    Kind.UNSUPPORTED_MODEL: 400,
    Kind.INVALID_SEALED: 400,
    Kind.UNKNOWN_RESPONSE: 400,
    Kind.UNEXPLAINED: 400,
}
_REFUSALS: Final = range(400, 600)
_TEXTS: Final = ("type", "code", "message")


def with_status(event: bytes, kind: Kind) -> bytes | None:
    """An error event on a WebSocket as the client can read it: with a type, the status that its kind has over HTTP if
    it names none, and texts where texts are expected. Else the client would take no notice of it, and wait. None for
    one that needs nothing."""
    if event_type(event) != ERROR:
        return None
    told, reply = decoded(event), reply_of(event)
    fit = {name: value for name, value in told.items() if name not in {"status", "status_code"}}
    name = "status_code" if "status_code" in told and "status" not in told else "status"
    fit |= {"type": ERROR, name: reply.status if reply.status in _REFUSALS else STATUS_OF.get(kind, 500)}
    given, headers = told.get("error"), told.get("headers")
    described = given if isinstance(given, dict) else {key: reply.error[key] for key in _TEXTS if key in reply.error}
    if given is not None or described.keys() - {"type"}:
        fit["error"] = {key: _text(value) if key in _TEXTS else value for key, value in described.items()}
    if headers is not None and not (isinstance(headers, dict) and all(map(_is_plain, headers.values()))):
        fit["headers"] = dict(reply.headers)
    return None if fit == told else json.dumps(fit).encode()


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def unreachable(detail: str) -> http.Response:
    """502: no attempt brought an answer. The client retries this by itself."""
    return error(502, "codex_rotate_upstream_unreachable", f"No account got an answer from upstream: {detail}")


def try_again(seconds: int, message: str) -> http.Response:
    """429 of a kind the client waits out by itself: whole seconds, and a type that is not a limit."""
    return error(429, "codex_rotate_try_again", message, retry_after=seconds)


def signed_out() -> http.Response:
    """400: the provider signed accounts out one after another; going on would sign out the rest of the pool."""
    return error(
        400,
        "codex_rotate_signed_out",
        "The provider signed out several accounts within one request, so codex-rotate stopped asking more of them. "
        "Run `codex-rotate list` to see which; send the request again to go on with the others.",
    )


def masked(what: str, *, again: bool) -> http.Response:
    """400: what is shown in the place of a secret would have gone to a server."""
    way = (
        "A flow does not keep the secret. Put it back in and replay the request, or record one with --set "
        "rotate_redact=false."
        if again
        else "Leave what is masked as it is, or put the secret back in."
    )
    told = f"codex-rotate did not send this request: in {what} a mark stands where a secret was. {way}"
    return error(400, "codex_rotate_masked", told)


def not_replayed(why: str) -> http.Response:
    """400: mitmproxy shall play a request again that cannot be."""
    return error(400, "codex_rotate_not_replayed", f"codex-rotate did not replay this request: {why}")


def upgrade_refused() -> http.Response:
    """426 on a WebSocket upgrade: the client goes on over HTTP at once and in silence, where errors keep their body."""
    return error(426, "codex_rotate_use_http", "codex-rotate asks the client to use HTTP for this request.")


def nothing_usable(exhausted: Exhausted, now: float, park_seconds: float) -> http.Response:
    """Nobody can serve. Somebody is back soon: 429 of ours, which the client waits out. Upstream's limits: 429 in its
    own shape. A rule of the pool, or a person is needed: 400 with our text.

    400 is the one status whose text the client prints at once; it would retry a 5xx for half a minute first. Names,
    states and reasons of single accounts are for the pool's owner.
    """
    if exhausted.guest:
        reasons = "its owner can see why"
    else:
        reasons = ", ".join(f"{label}: {reason}" for label, reason in sorted(exhausted.reasons.items()))
    if exhausted.resets_at is not None and exhausted.resets_at - now <= park_seconds:
        seconds = limit_seconds(exhausted, now)
        return try_again(seconds, f"No account can serve for {seconds} s ({reasons}).")
    if exhausted.rule in RULES:
        back = "" if exhausted.resets_at is None else f" The first one is back in {_spoken(exhausted.resets_at - now)}."
        return error(400, f"codex_rotate_{exhausted.rule}", f"{RULES[exhausted.rule]} ({reasons}).{back}")
    if exhausted.limited and exhausted.resets_at is not None:
        return http.Response.make(
            429,
            json.dumps({"error": limit_error(exhausted, now)}),
            {"content-type": "application/json", "retry-after": str(limit_seconds(exhausted, now))},
        )
    return error(
        400,
        "codex_rotate_no_account",
        f"No account of the codex-rotate pool can serve this request ({reasons or 'the pool is empty'}). "
        "Run `codex-rotate list` to see what each needs.",
    )


def _spoken(seconds: float) -> str:
    minutes = max(1, math.ceil(seconds / 60))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return " ".join(f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n)


def limit_seconds(exhausted: Exhausted, now: float) -> int:
    return max(1, math.ceil((exhausted.resets_at or now) - now))


def limit_error(exhausted: Exhausted, now: float) -> dict[str, object]:
    """Upstream's usage-limit error, with the time the first account of the pool is back."""
    return {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": exhausted.plan or None,
        "resets_at": math.ceil(exhausted.resets_at or now),
        "resets_in_seconds": limit_seconds(exhausted, now),
    }


def error(status: int, kind: str, message: str, *, retry_after: int | None = None) -> http.Response:
    headers = {"content-type": "application/json"}
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    return http.Response.make(status, json.dumps({"error": {"type": kind, "code": kind, "message": message}}), headers)
