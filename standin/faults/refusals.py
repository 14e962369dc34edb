"""The bodies of refusals, and the ways in which a time of reset is written.

Codes and words are the client's wire behaviour (docs/codex-wire.md section 3), and what users report.
"""

import datetime as dt
import json
from collections.abc import Callable
from email.utils import format_datetime
from typing import Any

from standin.faults.details import Scene
from standin.records import Headers
from standin.replies import Reply, error_reply, json_reply

type Made = tuple[dict[str, Any], Headers]
"""Fields of the error, and headers."""

CHALLENGE = Reply(
    403,
    (
        ("content-type", "text/html; charset=UTF-8"),
        ("cf-mitigated", "challenge"),
        ("server", "cloudflare"),
        ("cf-ray", "0000000000000000-TST"),
    ),
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Enable JavaScript</body></html>",
)
UNSUPPORTED = {"detail": "The requested model is not supported when using Codex with a ChatGPT account."}
SEALED = "The encrypted content could not be verified."
_PADDING = b"<!-- " + b"x" * 300_000 + b" -->"
_PAGE = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"


def _utc(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(at), tz=dt.UTC)


def _seconds(at: float, within: float) -> Made:
    # docs/codex-wire.md section 2.3
    window = {"used-percent": 100, "window-minutes": 300, "reset-at": int(at)}
    headers = tuple((f"x-codex-primary-{name}", str(value)) for name, value in window.items())
    return {"resets_at": int(at), "resets_in_seconds": int(within)}, headers


RESETS: dict[str, Callable[[float, float], Made]] = {
    "seconds": _seconds,
    "iso": lambda at, _: ({"resets_at": _utc(at).isoformat().replace("+00:00", "Z")}, ()),
    "iso_offset": lambda at, _: ({"resets_at": _utc(at).isoformat()}, ()),
    "iso_naive": lambda at, _: ({"resets_at": _utc(at).replace(tzinfo=None).isoformat()}, ()),
    "milliseconds": lambda at, _: ({"resets_at": int(at * 1000)}, ()),
    "text": lambda at, _: ({"resets_at": str(int(at))}, ()),
    "in_seconds": lambda _, within: ({"resets_in_seconds": int(within)}, ()),
    "after_header": lambda _, within: ({}, (("x-codex-primary-reset-after-seconds", str(int(within))),)),
    "http_date": lambda at, _: ({}, (("retry-after", format_datetime(_utc(at), usegmt=True)),)),
}
"""From the time (seconds since the epoch) and the seconds until then."""


SHAPES: dict[str, Callable[[dict[str, Any]], object]] = {
    "usual": lambda error: {"error": error},
    "bare": lambda error: error,
    "detail": lambda error: {"detail": error},
    "deep": lambda error: {"error": {"error": error}},
    "errors": lambda error: {"errors": [error]},
    "list": lambda error: [{"error": error}],
    "text": lambda error: {"error": json.dumps(error)},
    "loud": lambda error: {"error": error | {"type": error["type"].upper()}},
}
"""From an error to a body."""


def usage_limit(scene: Scene, status: int) -> Reply:
    """An allowance is used up, docs/codex-wire.md section 3."""
    asked = scene.details
    fields: dict[str, Any] = {}
    headers: Headers = ()
    if asked.resets_in is not None:
        fields, headers = RESETS[asked.resets_as](scene.now + asked.resets_in, asked.resets_in)
    error = {
        "type": "usage_limit_reached",
        "message": asked.message or "The usage limit has been reached",
        "plan_type": scene.plan,
        "eligible_promo": None,
    }
    code = {"code": asked.code} if asked.code else {}
    return json_reply(SHAPES[asked.shape](error | fields | code), status, headers)


def deactivated(scene: Scene) -> Reply:
    """An account, or with 402 a workspace, that the provider has closed."""
    asked = scene.details
    if asked.status == 402:
        return json_reply({"detail": {"code": asked.code or "deactivated_workspace"}}, 402)
    message = asked.message or "Your OpenAI account has been deactivated."
    return error_reply(403, asked.code or "account_deactivated", message)


def html(status: int, *, big: bool = False) -> Reply:
    """A page in the way: of the edge, of a gateway."""
    return Reply(status, (("content-type", "text/html; charset=UTF-8"),), _PAGE + (_PADDING if big else b""))


def detail(status: int, message: str) -> Callable[[Scene], Reply]:
    """The other shape of an error: `{"detail": ...}`."""
    return lambda scene: json_reply({"detail": scene.details.message or message}, status)


def error(status: int, kind: str, code: str | None, message: str) -> Callable[[Scene], Reply]:
    """OpenAI's shape of an error, with the fault's own code and message."""
    return lambda scene: error_reply(status, scene.details.code or code, scene.details.message or message, type=kind)


# events


def failed(scene: Scene) -> dict[str, Any]:
    """`response.failed`."""
    asked = scene.details
    what: dict[str, Any] = {
        "code": asked.code or "server_error",
        "message": asked.message or "The stand-in failed on request.",
    }
    if asked.resets_in is not None:
        what |= RESETS[asked.resets_as](scene.now + asked.resets_in, asked.resets_in)[0]
    response = {"id": "resp_failed", "object": "response", "status": "failed", "error": what}
    return {"type": "response.failed", "response": response}


def error_without_status(scene: Scene) -> dict[str, Any]:
    """`error` as a service behind the edge writes it: nothing says which status it stands for."""
    asked = scene.details
    code, message = asked.code or "server_error", asked.message or "The stand-in failed on request."
    kind = code if code in {"usage_limit_reached", "usage_not_included", "insufficient_quota"} else "server_error"
    return {"type": "error", "error": {"type": kind, "code": code, "message": message, "param": None}}


def error_untyped(scene: Scene) -> dict[str, Any]:
    """An error that only its shape shows to be one."""
    return {"error": error_without_status(scene)["error"]}


def error_with_text_status(scene: Scene) -> dict[str, Any]:
    """`error` with a status that is no number."""
    return error_without_status(scene) | {"status": str(scene.details.status or 500)}


def error_event(scene: Scene) -> dict[str, Any]:
    """`error` with the status that only a WebSocket's carries."""
    return error_without_status(scene) | {"status": scene.details.status or 500}
