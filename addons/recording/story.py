"""What a flow knows of the accounts that were asked for it, told to a person. Pure.

The console shows a line for each row. mitmweb's command bar shows all rows as one text: there a flow is a sentence.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mitmproxy import http

from accounts.choice.outcomes import Kind
from addons.recording.annotations import PREFIX
from config.times.local_time import clock_time

WIDTH: Final = 62
"""What the console has for a row on a screen of 80 columns."""
ANSWERED: Final[Mapping[str, str]] = {Kind.OK: "answered", Kind.UPGRADED: "opened it", Kind.CLIENT_GONE: "client gone"}
_CODES: Final = re.compile(r"\d{3}( [a-z][a-z0-9_.]*)*")
_USUAL: Final = frozenset({"invalid_request_error"})


def rows(flow: http.HTTPFlow, now: float, width: int = WIDTH) -> list[str]:
    """A row for the flow and one for each step, none longer than `width`; nothing if the pool did not serve it."""
    if not _is_ours(flow):
        return []
    found = textwrap.wrap(_head(flow, now), width, subsequent_indent="  ")
    for step in [*_attempts(flow), *_rest(flow)]:
        found += textwrap.wrap(f"- {step}", width, initial_indent="  ", subsequent_indent="    ")
    return found


def sentence(flow: http.HTTPFlow, now: float) -> str:
    """The same in one; "" if the pool did not serve it."""
    if not _is_ours(flow):
        return ""
    steps = filter(None, (" → ".join(_attempts(flow)), *_rest(flow)))
    return f"{_head(flow, now)}: {'; '.join(steps)}."


def _is_ours(flow: http.HTTPFlow) -> bool:
    return any(flow.metadata.get(f"{PREFIX}{key}") for key in ("attempts", "turns", "nobody"))


def _head(flow: http.HTTPFlow, now: float) -> str:
    models = flow.request.path.partition("?")[0].endswith("/models")
    socket = flow.metadata.get(f"{PREFIX}transport") == "websocket"
    what = "list of models" if models else "socket" if socket else "request"
    thread = str(flow.metadata.get(f"{PREFIX}thread") or "")
    of = f" of thread {thread[-8:]}" if thread else ""
    return f"{clock_time(flow.request.timestamp_start, now)} {what}{of}{_end(flow)}"


def _end(flow: http.HTTPFlow) -> str:
    """What became of it; a socket's turns have ends of their own."""
    if flow.metadata.get(f"{PREFIX}turns"):
        return ""
    done = str(flow.metadata.get(f"{PREFIX}done", "")) or "under way"
    end = flow.response.timestamp_end if flow.response is not None else None
    return f", {done} after {max(0.0, end - flow.request.timestamp_start):.1f} s" if end else f", {done}"


def _attempts(flow: http.HTTPFlow) -> list[str]:
    return [_asked(each) for each in flow.metadata.get(f"{PREFIX}attempts") or ()]


def _rest(flow: http.HTTPFlow) -> list[str]:
    """Why nobody was left, and a socket's turns."""
    nobody = flow.metadata.get(f"{PREFIX}nobody") or {}
    cannot = [f"{label} cannot serve: {reason}" for label, reason in nobody.items()]
    turns = [
        f"turn {number}: {_turn(turn['attempts'])}{turn['done']} after {turn['seconds']:.1f} s"
        for number, turn in enumerate(flow.metadata.get(f"{PREFIX}turns") or (), start=1)
    ]
    return [*cannot, *turns]


def _plain(words: str) -> str:
    return words.replace("_", " ")


def _turn(attempts: Sequence[Mapping[str, Any]]) -> str:
    """A socket's turn is on the socket's account: what is to be told is what went wrong there."""
    return "".join(f"{_said(each)}, " for each in attempts if each["kind"] not in ANSWERED)


def _asked(attempt: Mapping[str, Any]) -> str:
    why = f" ({attempt['why']})" if attempt["why"] else ""
    return f"{attempt['account']}{why}: {_said(attempt)}"


def _said(attempt: Mapping[str, Any]) -> str:
    """What came of an attempt: the status, what that means, and what was said beyond it."""
    kind, detail = str(attempt["kind"]), str(attempt["detail"])
    if kind in ANSWERED:
        return ANSWERED[kind]
    words = detail.split() if _CODES.fullmatch(detail) else []
    status = str(attempt.get("status") or "") or next((each for each in words if each.isdigit()), "")
    news = (each for each in words if each not in {status, *_USUAL} and not each.startswith(kind))
    more = " ".join(news) if words else detail
    return " ".join(filter(None, (status, _plain(kind), f"({more})" if more else "")))
