"""What can be made to go wrong, as a table: one row per kind says where a fault strikes and what it does there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from standin.faults import refusals
from standin.faults.details import Action, Phase, Point, Scene
from standin.faults.kinds import FaultKind
from standin.faults.refusals import error
from standin.replies import EXPIRED, INVALIDATED, Reply, json_reply

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
BIGGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes; a socket takes no more in one message."""
_MINUTE = 60.0

ALWAYS = frozenset({Phase.REQUEST, Phase.UPGRADE, Phase.MESSAGE})
IN_SOCKETS = frozenset({Phase.ACCEPTED, Phase.MESSAGE})


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. `phases` are the occasions on which the kind exists at all; `seconds`, `close_code`,
    `min_bytes`, `content_type` and `coding` hold where a fault has none of its own.
    """

    action: Action
    point: Point = Point.HEAD
    path: str | None = None
    phases: frozenset[Phase] = ALWAYS
    reply: Callable[[Scene], Reply] | None = None
    event: Callable[[Scene], dict[str, Any]] | None = None
    seconds: float = 0.0
    close_code: int = 1000
    min_bytes: int = 0
    content_type: str | None = None
    coding: str | None = None


def _says(reply: Callable[[Scene], Reply], path: str | None = None) -> Rule:
    return Rule(Action.REPLY, path=path, reply=reply)


def _fixed(reply: Reply, phases: frozenset[Phase] = ALWAYS) -> Rule:
    return Rule(Action.REPLY, reply=lambda _: reply, phases=phases)


def _event(event: Callable[[Scene], dict[str, Any]], phases: frozenset[Phase] = ALWAYS) -> Rule:
    return Rule(Action.EVENT, Point.CREATED, event=event, phases=phases)


def _dressed(*, content_type: str | None = None, coding: str | None = None) -> Rule:
    over_http = frozenset({Phase.REQUEST})
    return Rule(Action.DRESS, Point.START, phases=over_http, content_type=content_type, coding=coding)


_LIMITS = {
    FaultKind.USAGE_LIMIT: _says(lambda scene: refusals.usage_limit(scene, 429)),
    FaultKind.USAGE_LIMIT_404: _says(lambda scene: refusals.usage_limit(scene, 404)),
    FaultKind.USAGE_NOT_INCLUDED: _says(error(429, "usage_not_included", None, "Your plan does not include Codex.")),
    FaultKind.INSUFFICIENT_QUOTA: _says(
        error(429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota.")
    ),
    FaultKind.BURST_LIMIT: _says(error(429, "requests", "rate_limit_exceeded", "Rate limit reached. Try again in 1s.")),
    FaultKind.CONCURRENCY: _says(refusals.detail(429, "Too many concurrent requests")),
    FaultKind.SLOW_DOWN: _says(error(429, "requests", "slow_down", "Slow down.")),
    FaultKind.TOO_MANY: _fixed(Reply(429)),
}
_SERVICE = {
    FaultKind.OVERLOADED: _says(error(503, "server_error", "server_is_overloaded", "The server is overloaded.")),
    FaultKind.OVERLOADED_529: _says(error(529, "overloaded_error", "overloaded", "Overloaded.")),
    FaultKind.SERVER_ERROR: _says(
        error(500, "server_error", None, "The server had an error while processing your request.")
    ),
}
_ACCOUNT = {
    FaultKind.UNAUTHORIZED_EXPIRED: _fixed(EXPIRED),
    FaultKind.UNAUTHORIZED_INVALIDATED: _fixed(INVALIDATED),
    FaultKind.UNAUTHORIZED_DEACTIVATED: _says(
        error(401, "invalid_request_error", None, "Your account has been deactivated.")
    ),
    FaultKind.DEACTIVATED: _says(refusals.deactivated),
    FaultKind.CLOUDFLARE: _fixed(refusals.CHALLENGE),
    FaultKind.FORBIDDEN: _says(error(403, "invalid_request_error", "forbidden", "You may not do this.")),
}
_REQUEST = {
    FaultKind.BAD_REQUEST: _says(error(400, "invalid_request_error", "invalid_value", "The request is not valid.")),
    FaultKind.UNSUPPORTED_MODEL: _fixed(json_reply(refusals.UNSUPPORTED, 400)),
    FaultKind.MODEL_NOT_FOUND: _says(
        error(404, "invalid_request_error", "model_not_found", "The model does not exist or you do not have access.")
    ),
    FaultKind.MODEL_NOT_FOR_ACCOUNT: _says(
        error(400, "invalid_request_error", "account_model_unsupported", "This account cannot use the model.")
    ),
    FaultKind.MODEL_DETAIL: _says(refusals.detail(404, "Model not found gpt-5")),
    FaultKind.INVALID_ENCRYPTED_CONTENT: _says(
        error(400, "invalid_request_error", "invalid_encrypted_content", refusals.SEALED)
    ),
}
_ODD_ANSWERS = {
    FaultKind.UPGRADE_REQUIRED: _fixed(json_reply({"detail": "Upgrade Required"}, 426), frozenset({Phase.UPGRADE})),
    FaultKind.REDIRECT: _fixed(Reply(302, (("location", "https://evil.example/"),))),
    # neither a body nor a type; with a status of the fault's own
    FaultKind.BARE: _fixed(Reply(200)),
    FaultKind.HTML: _fixed(refusals.html(200)),
    FaultKind.BIG_HTML: _fixed(refusals.html(200, big=True)),
    FaultKind.NO_CONTENT: _fixed(Reply(204)),
}
_TIME = {
    FaultKind.HANG: Rule(Action.HOLD),
    FaultKind.SLOW_START: Rule(Action.DELAY),
    FaultKind.LATE_HEAD: Rule(Action.DELAY, seconds=_MINUTE, phases=frozenset({Phase.REQUEST, Phase.UPGRADE})),
    FaultKind.SILENCE: Rule(Action.DELAY, seconds=_MINUTE, phases=frozenset({Phase.MESSAGE})),
    FaultKind.STALL: Rule(Action.HOLD, Point.CREATED),
}
_DRESSES = {
    FaultKind.NO_CONTENT_TYPE: _dressed(content_type=""),
    FaultKind.ODD_CONTENT_TYPE: _dressed(content_type="Text/Event-Stream; charset=utf-8"),
    FaultKind.GZIP: _dressed(coding="gzip"),
    FaultKind.ZSTD: _dressed(coding="zstd"),
    FaultKind.BROTLI: _dressed(coding="br"),
    FaultKind.DEFLATE: _dressed(coding="deflate"),
}
_WIRE = {
    FaultKind.RESET: Rule(Action.RESET),
    FaultKind.CLOSE: Rule(Action.CLOSE),
    FaultKind.STREAM_RESET: Rule(Action.STREAM_RESET),
    FaultKind.GOAWAY: Rule(Action.GOAWAY),
    # a kept connection ends between two requests
    FaultKind.PARTING: Rule(Action.PART, Point.START, phases=frozenset({Phase.REQUEST})),
    FaultKind.SOCKET_CLOSED: Rule(Action.CLOSE_FRAME, phases=IN_SOCKETS, close_code=1011),
    FaultKind.SOCKET_ABORTED: Rule(Action.RESET, phases=IN_SOCKETS),
    FaultKind.MESSAGE_TOO_BIG: Rule(
        Action.CLOSE_FRAME, phases=frozenset({Phase.MESSAGE}), close_code=1009, min_bytes=BIGGEST_MESSAGE + 1
    ),
}
_EVENTS = {
    FaultKind.TRUNCATED: Rule(Action.END, Point.CREATED),
    FaultKind.FAILED_EVENT: _event(refusals.failed),
    FaultKind.ERROR_EVENT: _event(refusals.error_event),
    FaultKind.ERROR_WITHOUT_STATUS: _event(refusals.error_without_status),
    FaultKind.ERROR_WITH_TEXT_STATUS: _event(refusals.error_with_text_status),
    FaultKind.ERROR_UNTYPED: _event(refusals.error_untyped),
    FaultKind.EMPTY: Rule(Action.END, Point.START),
}
# docs/codex-wire.md section 4
_TOKENS = {
    FaultKind.TOKEN_SERVER_ERROR: _says(error(500, "server_error", None, "Internal error."), TOKEN_PATH),
    FaultKind.TOKEN_REFUSED: _says(
        error(401, "invalid_request_error", "refresh_token_invalidated", "Please sign in again."), TOKEN_PATH
    ),
    FaultKind.TOKEN_UNAVAILABLE: _says(
        error(400, "invalid_request_error", "temporarily_unavailable", "Please try again later."), TOKEN_PATH
    ),
    FaultKind.TOKEN_HTML: _says(lambda _: refusals.html(401), TOKEN_PATH),
    FaultKind.TOKEN_HANG: Rule(Action.HOLD, path=TOKEN_PATH),
}

RULES: dict[FaultKind, Rule] = (
    _LIMITS | _SERVICE | _ACCOUNT | _REQUEST | _ODD_ANSWERS | _TIME | _DRESSES | _WIRE | _EVENTS | _TOKENS
)
