"""The last look before a request leaves: what is masked in a flow must not go to a server in the secret's place. Pure.

Flows show marks, and flows are what is edited, saved and played again.
"""

from typing import Final

from mitmproxy import http

from addons.redaction import patterns
from addons.redaction.flows import MARK, FlowRedactor
from addons.wire import messages

MARKS: Final = (MARK, *patterns.MARKS)
REPLACED: Final = frozenset({b"authorization", b"chatgpt-account-id"})
"""Headers that the pool puts its own in the place of."""


class MarkLeft(ValueError):
    """A request was about to leave with the mark of a secret."""


def refuse_marked(request: http.Request) -> None:
    """Raises MarkLeft. For every request that is sent, so no more is looked at than its head."""
    data = request.data
    trailers = data.trailers.fields if data.trailers else ()
    if MARK in data.path or any(MARK in value for _, value in (*data.headers.fields, *trailers)):
        raise MarkLeft


def left_in(request: http.Request, shown: FlowRedactor, *, again: bool, pooled: bool) -> str:
    """What of a request would leave masked: "its path", a header's name, "its body"; "" for nothing.

    `again`: it is played again, so that nobody knows what the marks stand for. In a model request's own text (`pooled`)
    masked words are words; everywhere else they may be a credential.
    """
    if not again and shown.is_untouched(request):
        return ""
    wire = shown.wire(request)
    data = wire.data
    if (again or not shown.said_path(data.path)) and _has_one(data.path):
        return "its path"
    trailers = data.trailers.fields if data.trailers else ()
    for name, value in (*data.headers.fields, *trailers):
        marked = MARK in value or ((again or not shown.said(name, value)) and _has_one(value))
        if marked and not (pooled and name.lower() in REPLACED):
            return f"the header {name.decode('utf-8', 'replace')}"
    body = messages.plain_body(wire) or data.content or b"" if again else b""
    return "its body" if MARK in body or (not pooled and _has_one(body)) else ""


def drop_masked(headers: http.Headers) -> None:
    """Take out of a model request that is played again what cannot be put back, but for what the pool replaces."""
    headers.fields = tuple(
        (name, value) for name, value in headers.fields if name.lower() in REPLACED or not _has_one(value)
    )


def _has_one(text: bytes) -> bool:
    return any(mark in text for mark in MARKS)
