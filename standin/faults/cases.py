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
    **{
        f"limit_as_200_{shape}": Fault(Kind.USAGE_LIMIT, status=200, resets_in=3600, shape=shape)
        for shape in ("bare", "detail", "deep", "errors", "list", "text", "loud")
    },
    "limit_as_200_stream": Fault(Kind.USAGE_LIMIT, status=200, resets_in=3600, content_type=_USUAL),
    "html_200": Fault(Kind.HTML),
    "html_200_stream": Fault(Kind.HTML, content_type=_USUAL),
    "big_html_200": Fault(Kind.BIG_HTML),
    "empty_200": Fault(Kind.BARE),
    "empty_stream": Fault(Kind.EMPTY),
    "no_content": Fault(Kind.NO_CONTENT),
    "redirect": Fault(Kind.REDIRECT),
}
_BARE = (400, 402, 404, 405, 408, 409, 410, 413, 421, 422, 424, 425, 431, 451, 499, 600)
_STATUSES = {
    **{f"bare_{status}": Fault(Kind.BARE, status=status) for status in _BARE},
    "bad_request_400": Fault(Kind.BAD_REQUEST, code="bad_request"),
    "account_400": Fault(Kind.BAD_REQUEST, code="account_suspended"),
    "limit_400": Fault(Kind.USAGE_LIMIT, status=400, resets_in=3600, shape="loud"),
    "html_400": Fault(Kind.HTML, status=400, content_type="Text/HTML"),
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
    "model_unavailable_400": Fault(Kind.MODEL_NOT_FOUND, status=400, code="model_unavailable"),
    "model_loud_400": Fault(Kind.MODEL_NOT_FOUND, status=400, code="MODEL_NOT_FOUND"),
    "model_words_400": Fault(Kind.UNAUTHORIZED_DEACTIVATED, status=400, message="Unknown model: gpt-5"),
    "model_unavailable_in_band": Fault(Kind.MODEL_NOT_FOUND, code="model_unavailable", in_band=True),
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
    "error_with_text_status": Fault(Kind.ERROR_WITH_TEXT_STATUS),
    "limit_untyped": Fault(Kind.ERROR_UNTYPED, at=Point.START, code=LIMIT, resets_in=3600),
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
    "limit_untyped_after_output": Fault(Kind.ERROR_UNTYPED, code=LIMIT, after_output=True),
    "overload_text_status_after_output": Fault(Kind.ERROR_WITH_TEXT_STATUS, code=OVERLOAD, after_output=True),
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
