"""Cases by name: what users have met, each as the fault that looks like it.

A test asks for one by its name, and a mixed run draws from all of them.
"""

from dataclasses import replace

from standin.faults.details import Point
from standin.faults.fault import Fault
from standin.faults.kinds import FaultKind as Kind

LIMIT, OVERLOAD, QUOTA = "usage_limit_reached", "server_is_overloaded", "insufficient_quota"
MODEL = "model_not_found"
USAGE_PATH = "/backend-api/wham/usage"

_LATE = {
    "head_after_a_minute": Fault(Kind.LATE_HEAD),
    "socket_silent_for_a_minute": Fault(Kind.SILENCE),
}
_USUAL = "text/event-stream"
_DRESSES: dict[str, tuple[str, str | None]] = {
    "untyped": ("", None),
    "odd_type": ("Text/Event-Stream; charset=utf-8", None),
    "gzip": (_USUAL, "gzip"),
    "zstd": (_USUAL, "zstd"),
    "brotli": (_USUAL, "br"),
    "deflate": (_USUAL, "deflate"),
    "untyped_gzip": ("", "gzip"),
}
_DRESSED = {
    f"{name}{suffix}": replace(fault, content_type=content_type, coding=coding)
    for name, (content_type, coding) in _DRESSES.items()
    for suffix, fault in {
        "": Fault(Kind.NO_CONTENT_TYPE),
        "_limit": Fault(Kind.FAILED_EVENT, code=LIMIT, resets_in=3600),
        "_limit_as_error": Fault(Kind.USAGE_LIMIT, at=Point.CREATED, resets_in=3600),
        "_overload": Fault(Kind.FAILED_EVENT, code=OVERLOAD),
    }.items()
}
_NOT_WHAT_WAS_ASKED = {
    "limit_as_200": Fault(Kind.USAGE_LIMIT, status=200, resets_in=3600),
    "overload_as_200": Fault(Kind.OVERLOADED, status=200),
    "html_200": Fault(Kind.HTML),
    "empty_200": Fault(Kind.BARE),
    "empty_stream": Fault(Kind.EMPTY),
    "no_content": Fault(Kind.NO_CONTENT),
    "redirect": Fault(Kind.REDIRECT),
}
_STATUSES = {
    **{f"bare_{status}": Fault(Kind.BARE, status=status) for status in (402, 404, 408, 409, 413, 421, 425, 431, 451)},
    "html_401": Fault(Kind.HTML, status=401),
    "html_402": Fault(Kind.HTML, status=402),
    "html_403": Fault(Kind.HTML, status=403),
    "html_502": Fault(Kind.HTML, status=502),
    "challenge": Fault(Kind.CLOUDFLARE),
}
_MODELS = {
    "model_404": Fault(Kind.MODEL_NOT_FOUND),
    "model_400": Fault(Kind.MODEL_NOT_FOUND, status=400),
    "model_not_for_account": Fault(Kind.MODEL_NOT_FOR_ACCOUNT),
    "model_detail_404": Fault(Kind.MODEL_DETAIL),
    "model_unsupported_400": Fault(Kind.UNSUPPORTED_MODEL),
    "model_404_in_band": Fault(Kind.MODEL_NOT_FOUND, in_band=True),
    "model_400_in_band": Fault(Kind.MODEL_NOT_FOUND, status=400, in_band=True),
    "model_not_for_account_in_band": Fault(Kind.MODEL_NOT_FOR_ACCOUNT, in_band=True),
    "model_detail_in_band": Fault(Kind.MODEL_DETAIL, in_band=True),
    "model_failed": Fault(Kind.FAILED_EVENT, code=MODEL),
}
_SHELLS = {
    f"shell_{shell}_{name}": Fault(Kind.FAILED_EVENT, at=Point.SHELL, shell=shell, code=code)
    for shell in ("message", "deltas", "reasoning")
    for name, code in {"overload": OVERLOAD, "quota": QUOTA, "limit": LIMIT}.items()
} | {
    f"shell_{shell}_limit_as_error": Fault(Kind.USAGE_LIMIT, at=Point.SHELL, shell=shell)
    for shell in ("message", "deltas", "reasoning")
}
_SOCKETS = {
    **{f"closed_{code}": Fault(Kind.SOCKET_CLOSED, close_code=code) for code in (1008, 1011, 1012, 1013)},
    **{
        f"closed_{code}_at_message": Fault(Kind.SOCKET_CLOSED, close_code=code, in_band=True)
        for code in (1008, 1011, 1012, 1013)
    },
    "aborted": Fault(Kind.SOCKET_ABORTED),
    "aborted_at_message": Fault(Kind.SOCKET_ABORTED, in_band=True),
    "closed_1009_for_16_mib": Fault(Kind.MESSAGE_TOO_BIG),
    "error_without_status": Fault(Kind.ERROR_WITHOUT_STATUS),
    "limit_without_status": Fault(Kind.ERROR_WITHOUT_STATUS, at=Point.START, code=LIMIT, resets_in=3600),
}
_LIMITS = {
    "concurrency": Fault(Kind.CONCURRENCY),
    "concurrency_in_band": Fault(Kind.CONCURRENCY, in_band=True),
    "slow_down_failed": Fault(Kind.FAILED_EVENT, code="slow_down"),
    **{
        f"limit_resets_{way}": Fault(Kind.USAGE_LIMIT, resets_in=3600, resets_as=way)
        for way in ("iso", "iso_offset", "iso_naive", "milliseconds", "text", "in_seconds", "after_header", "http_date")
    },
}
_AFTER_OUTPUT = {
    "limit_after_output": Fault(Kind.USAGE_LIMIT, after_output=True),
    "limit_failed_after_output": Fault(Kind.FAILED_EVENT, code=LIMIT, after_output=True),
    "overload_after_output": Fault(Kind.FAILED_EVENT, code=OVERLOAD, after_output=True),
    "closed_1011_after_output": Fault(Kind.SOCKET_CLOSED, close_code=1011, after_output=True),
}
_ACCOUNTS = {
    "deactivated_401": Fault(Kind.UNAUTHORIZED_DEACTIVATED),
}
_CONNECTIONS = {
    "parting": Fault(Kind.PARTING),
    "reset": Fault(Kind.RESET),
}
BESIDE = {
    "usage_402_html": Fault(Kind.HTML, status=402, path=USAGE_PATH),
    "usage_401_html": Fault(Kind.HTML, status=401, path=USAGE_PATH),
    "token_unavailable": Fault(Kind.TOKEN_UNAVAILABLE),
    "token_401_html": Fault(Kind.TOKEN_HTML),
    "token_reused": Fault(Kind.TOKEN_REFUSED, code="refresh_token_reused"),
}
"""What other paths than the model's say."""

CASES: dict[str, Fault] = (
    _LATE
    | _DRESSED
    | _NOT_WHAT_WAS_ASKED
    | _STATUSES
    | _MODELS
    | _SHELLS
    | _SOCKETS
    | _LIMITS
    | _AFTER_OUTPUT
    | _ACCOUNTS
    | _CONNECTIONS
    | BESIDE
)
