"""What can be made to go wrong, as a table: one row per kind says where a fault strikes and what it does there.

Bodies and codes are the client's wire behaviour, docs/codex-wire.md section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Any

from standin.records import Headers
from standin.replies import EXPIRED, INVALIDATED, Reply, error_reply, json_reply

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
GENERATION_PREFIX = "/backend-api/codex/"
CATALOGUE_PATH = "/backend-api/codex/models"
ANALYTICS_PREFIX = "/backend-api/codex/analytics-events/"


class FaultKind(StrEnum):
    """The kinds of trouble; the comments in `RULES` say what each one looks like."""

    USAGE_LIMIT = "usage_limit"
    USAGE_LIMIT_404 = "usage_limit_404"
    USAGE_NOT_INCLUDED = "usage_not_included"
    INSUFFICIENT_QUOTA = "insufficient_quota"
    BURST_LIMIT = "burst_limit"
    SLOW_DOWN = "slow_down"
    TOO_MANY = "too_many"
    OVERLOADED = "overloaded"
    OVERLOADED_529 = "overloaded_529"
    SERVER_ERROR = "server_error"
    UNAUTHORIZED_EXPIRED = "unauthorized_expired"
    UNAUTHORIZED_INVALIDATED = "unauthorized_invalidated"
    DEACTIVATED = "deactivated"
    CLOUDFLARE = "cloudflare"
    FORBIDDEN = "forbidden"
    BAD_REQUEST = "bad_request"
    UNSUPPORTED_MODEL = "unsupported_model"
    INVALID_ENCRYPTED_CONTENT = "invalid_encrypted_content"
    UPGRADE_REQUIRED = "upgrade_required"
    REDIRECT = "redirect"
    HANG = "hang"
    SLOW_START = "slow_start"
    STALL = "stall"
    RESET = "reset"
    CLOSE = "close"
    STREAM_RESET = "stream_reset"
    GOAWAY = "goaway"
    TRUNCATED = "truncated"
    FAILED_EVENT = "failed_event"
    ERROR_EVENT = "error_event"
    EMPTY = "empty"
    TOKEN_SERVER_ERROR = "token_server_error"  # noqa: S105 - a name
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a name
    TOKEN_HANG = "token_hang"  # noqa: S105 - a name


class Point(IntEnum):
    """Where in an answer a fault strikes."""

    HEAD = 0
    """Before the response head (HTTP), on the upgrade or before the first event of an answer (WebSocket)."""
    START = 1
    """After the head, before any event."""
    CREATED = 2
    """After `response.created`, before output."""
    OUTPUT = 3
    """After the first piece of output."""
    LAST = 4
    """After the last event, before the end of the stream."""


class Action(StrEnum):
    """What a fault does at its point."""

    REPLY = "reply"
    EVENT = "event"
    HOLD = "hold"
    DELAY = "delay"
    END = "end"
    RESET = "reset"
    CLOSE = "close"
    STREAM_RESET = "stream_reset"
    GOAWAY = "goaway"


class Phase(StrEnum):
    """The occasions at which a fault can strike."""

    REQUEST = "request"
    UPGRADE = "upgrade"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of trouble and its details.

    `status`, `code` and `message` replace the kind's own; `resets_in` (seconds) gives `resets_at` and
    `resets_in_seconds`; `retry_after` becomes the header of that name as written; `seconds` is SLOW_START's delay.
    `in_band` lets a WebSocket upgrade pass and strikes at the first message instead; `after_output` strikes after the
    first piece of output, `after_last` after the last event. `warm_up=False` spares requests with `generate: false`.
    `path` is the exact path the fault applies to; None means every generation path (or the token endpoint for TOKEN_
    kinds).
    """

    kind: FaultKind
    status: int | None = None
    resets_in: float | None = None
    retry_after: float | str | None = None
    message: str | None = None
    code: str | None = None
    in_band: bool = False
    after_output: bool = False
    after_last: bool = False
    seconds: float = 0.0
    warm_up: bool = True
    path: str | None = None

    @property
    def rule(self) -> "Rule":
        """The row of this kind."""
        return RULES[self.kind]

    @property
    def point(self) -> Point:
        """Where this fault strikes."""
        if self.after_last:
            return Point.LAST
        return Point.OUTPUT if self.after_output else self.rule.point

    @property
    def scope(self) -> str | None:
        """The one path this fault is for, None for all generation paths."""
        return self.path or self.rule.path

    def strikes(self, path: str, phase: Phase, *, warm_up: bool = False) -> bool:
        """Whether this fault is for a request to `path` at this occasion."""
        if warm_up and (not self.warm_up or self.point >= Point.OUTPUT):
            return False
        if self.scope is None and not is_generation(path):
            return False
        if self.scope is not None and self.scope != path:
            return False
        if phase is Phase.UPGRADE:
            return self.point is Point.HEAD and not self.in_band
        return not self.rule.only_upgrade


def is_generation(path: str) -> bool:
    """Whether a path spends an account's allowance, docs/codex-wire.md section 11."""
    return path.startswith(GENERATION_PREFIX) and path != CATALOGUE_PATH and not path.startswith(ANALYTICS_PREFIX)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault's answer depends on: the fault, the account's plan and the time (seconds since the epoch)."""

    fault: Fault
    plan: str
    now: float


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    action: Action
    point: Point = Point.HEAD
    path: str | None = None
    reply: Callable[[Scene], Reply] | None = None
    event: Callable[[Fault], dict[str, Any]] | None = None
    only_upgrade: bool = False


def reply_of(scene: Scene) -> Reply:
    """The whole answer of a fault whose action is REPLY, with the fault's own status and `Retry-After`."""
    fault = scene.fault
    assert fault.rule.reply is not None, f"{fault.kind} has no reply"
    reply = fault.rule.reply(scene)
    if fault.status is not None:
        reply = replace(reply, status=fault.status)
    if fault.retry_after is not None:
        reply = replace(reply, headers=(*reply.headers, ("retry-after", str(fault.retry_after))))
    return reply


def event_of(fault: Fault) -> dict[str, Any]:
    """The event of a fault whose action is EVENT."""
    assert fault.rule.event is not None, f"{fault.kind} has no event"
    return fault.rule.event(fault)


def _error(status: int, kind: str, code: str | None, message: str, path: str | None = None) -> Rule:
    def build(scene: Scene) -> Reply:
        fault = scene.fault
        return error_reply(status, fault.code or code, fault.message or message, type=kind)

    return Rule(Action.REPLY, path=path, reply=build)


def _fixed(reply: Reply, *, only_upgrade: bool = False) -> Rule:
    return Rule(Action.REPLY, reply=lambda _: reply, only_upgrade=only_upgrade)


def _usage_limit(status: int) -> Rule:
    def build(scene: Scene) -> Reply:
        fault, more = scene.fault, dict[str, Any]()
        if fault.resets_in is not None:
            more = {"resets_at": int(scene.now + fault.resets_in), "resets_in_seconds": int(fault.resets_in)}
        at_limit: Headers = ()
        if "resets_at" in more:
            # docs/codex-wire.md section 2.3
            window = {"used-percent": 100, "window-minutes": 300, "reset-at": more["resets_at"]}
            at_limit = tuple((f"x-codex-primary-{name}", str(value)) for name, value in window.items())
        error = {
            "type": "usage_limit_reached",
            "message": fault.message or "The usage limit has been reached",
            "plan_type": scene.plan,
            "eligible_promo": None,
        }
        code = {"code": fault.code} if fault.code else {}
        return json_reply({"error": error | more | code}, status, at_limit)

    return Rule(Action.REPLY, reply=build)


def _deactivated(scene: Scene) -> Reply:
    fault = scene.fault
    if fault.status == 402:
        return json_reply({"detail": {"code": fault.code or "deactivated_workspace"}}, 402)
    message = fault.message or "Your OpenAI account has been deactivated."
    return error_reply(403, fault.code or "account_deactivated", message)


def _failed(fault: Fault) -> dict[str, Any]:
    error = {"code": fault.code or "server_error", "message": fault.message or "The stand-in failed on request."}
    response = {"id": "resp_failed", "object": "response", "status": "failed", "error": error}
    return {"type": "response.failed", "response": response}


def _error_event(fault: Fault) -> dict[str, Any]:
    code, message = fault.code or "server_error", fault.message or "The stand-in failed on request."
    error = {"type": "server_error", "code": code, "message": message, "param": None}
    return {"type": "error", "status": fault.status or 500, "error": error}


_CHALLENGE = Reply(
    403,
    (
        ("content-type", "text/html; charset=UTF-8"),
        ("cf-mitigated", "challenge"),
        ("server", "cloudflare"),
        ("cf-ray", "0000000000000000-TST"),
    ),
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Enable JavaScript</body></html>",
)
_UNSUPPORTED = {"detail": "The requested model is not supported when using Codex with a ChatGPT account."}
_SEALED = "The encrypted content could not be verified."

RULES: dict[FaultKind, Rule] = {
    # limits
    FaultKind.USAGE_LIMIT: _usage_limit(429),
    FaultKind.USAGE_LIMIT_404: _usage_limit(404),
    FaultKind.USAGE_NOT_INCLUDED: _error(429, "usage_not_included", None, "Your plan does not include Codex."),
    FaultKind.INSUFFICIENT_QUOTA: _error(
        429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."
    ),
    FaultKind.BURST_LIMIT: _error(429, "requests", "rate_limit_exceeded", "Rate limit reached. Try again in 1s."),
    FaultKind.SLOW_DOWN: _error(429, "requests", "slow_down", "Slow down."),
    FaultKind.TOO_MANY: _fixed(Reply(429)),
    # the service's own trouble
    FaultKind.OVERLOADED: _error(503, "server_error", "server_is_overloaded", "The server is overloaded."),
    FaultKind.OVERLOADED_529: _error(529, "overloaded_error", "overloaded", "Overloaded."),
    FaultKind.SERVER_ERROR: _error(500, "server_error", None, "The server had an error while processing your request."),
    # the account's trouble
    FaultKind.UNAUTHORIZED_EXPIRED: _fixed(EXPIRED),
    FaultKind.UNAUTHORIZED_INVALIDATED: _fixed(INVALIDATED),
    FaultKind.DEACTIVATED: Rule(Action.REPLY, reply=_deactivated),
    FaultKind.CLOUDFLARE: _fixed(_CHALLENGE),
    FaultKind.FORBIDDEN: _error(403, "invalid_request_error", "forbidden", "You may not do this."),
    # the request's trouble
    FaultKind.BAD_REQUEST: _error(400, "invalid_request_error", "invalid_value", "The request is not valid."),
    FaultKind.UNSUPPORTED_MODEL: _fixed(json_reply(_UNSUPPORTED, 400)),
    FaultKind.INVALID_ENCRYPTED_CONTENT: _error(400, "invalid_request_error", "invalid_encrypted_content", _SEALED),
    FaultKind.UPGRADE_REQUIRED: _fixed(json_reply({"detail": "Upgrade Required"}, 426), only_upgrade=True),
    FaultKind.REDIRECT: _fixed(Reply(302, (("location", "https://evil.example/"),))),
    # time
    FaultKind.HANG: Rule(Action.HOLD),
    FaultKind.SLOW_START: Rule(Action.DELAY),
    FaultKind.STALL: Rule(Action.HOLD, Point.CREATED),
    # the wire
    FaultKind.RESET: Rule(Action.RESET),
    FaultKind.CLOSE: Rule(Action.CLOSE),
    FaultKind.STREAM_RESET: Rule(Action.STREAM_RESET),
    FaultKind.GOAWAY: Rule(Action.GOAWAY),
    # the event stream
    FaultKind.TRUNCATED: Rule(Action.END, Point.CREATED),
    FaultKind.FAILED_EVENT: Rule(Action.EVENT, Point.CREATED, event=_failed),
    FaultKind.ERROR_EVENT: Rule(Action.EVENT, Point.CREATED, event=_error_event),
    FaultKind.EMPTY: Rule(Action.END, Point.START),
    # the token endpoint, docs/codex-wire.md section 4
    FaultKind.TOKEN_SERVER_ERROR: _error(500, "server_error", None, "Internal error.", TOKEN_PATH),
    FaultKind.TOKEN_REFUSED: _error(
        401, "invalid_request_error", "refresh_token_invalidated", "Please sign in again.", TOKEN_PATH
    ),
    FaultKind.TOKEN_HANG: Rule(Action.HOLD, path=TOKEN_PATH),
}
