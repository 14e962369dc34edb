"""Which thread a request belongs to, and which model it wants: the headers and fields that say so. Pure.

docs/codex-wire.md section 2.1.
"""

import json
import re
from collections.abc import Callable
from typing import Final

THREAD: Final = "thread-id"
SESSION: Final = "session-id"
THREAD_HEADERS: Final = (THREAD, "thread_id", SESSION, "session_id", "conversation-id", "conversation_id")
CACHE_KEY: Final = "prompt_cache_key"
"""The field of a request's body that names its thread where no header does."""
ROUTING_HINT: Final = "x-codex-routing-hint"
TURN_METADATA: Final = "x-codex-turn-metadata"
PARENT_THREAD: Final = "x-codex-parent-thread-id"
"""Of a sub-agent's thread: the one that has started it."""
MOST_METADATA: Final = 64 * 1024
"""Bytes of turn metadata that are read."""

_STRING: Final = rb'"%b"\s*:\s*("(?:[^"\\]|\\.){0,%d}")'
_METADATA_IN: Final = re.compile(_STRING % (TURN_METADATA.encode(), MOST_METADATA))
_PARENT_IN: Final = re.compile(_STRING % (PARENT_THREAD.encode(), 200))
_CACHE_KEY: Final = re.compile(rb'"%b"\s*:\s*"([\w.:-]{1,200})"' % CACHE_KEY.encode(), re.ASCII)
_MODEL_FIRST: Final = re.compile(
    rb'\s*\{\s*(?:"type"\s*:\s*"response\.create"\s*,\s*)?"model"\s*:\s*"([\w.:/-]{1,100})"', re.ASCII
)


def thread_of(header: Callable[[str], str | None]) -> str:
    """The first identifier the client sends of those that name a conversation; empty when it sends none."""
    for name in THREAD_HEADERS:
        value = header(name)
        if value:
            return value[:200]
    return ""


def model_of(header: Callable[[str], str | None]) -> str:
    """The model named by the client's routing hint; empty when it names none."""
    name, _, value = (header(ROUTING_HINT) or "").partition("=")
    return value.strip()[:100] if name.strip() == "model" else ""


def thread_in(body: bytes) -> str:
    """The conversation named by a request's JSON body, for clients that name none in a header; empty for none."""
    found = _CACHE_KEY.search(body)
    return found[1].decode() if found else ""


def parent_of(header: Callable[[str], str | None]) -> str:
    """The thread whose sub-agent asks; empty for none."""
    return (header(PARENT_THREAD) or "")[:200]


def parent_in(message: bytes) -> str:
    """The same of a request on a socket, by its body."""
    return _string(_PARENT_IN, message)


def metadata_in(message: bytes) -> str:
    """The turn metadata that stands in the body of a request on a socket; empty for none."""
    return _string(_METADATA_IN, message)


def _string(pattern: re.Pattern[bytes], message: bytes) -> str:
    """The value of a member. The same words within a text of the conversation have backslashes before their quotes."""
    found = pattern.search(message)
    try:
        return str(json.loads(found[1])) if found else ""
    except ValueError:
        return ""


def first_model_in(body: bytes) -> str:
    """The same where it is the first thing that the body says, as clients write it; empty where it is not. Costs
    nothing."""
    found = _MODEL_FIRST.match(body)
    return found[1].decode() if found else ""


def model_in(body: bytes) -> str:
    """The model named by a request's JSON body; empty when it names none, or is none. All of the body is decoded."""
    try:
        found = json.loads(body).get("model")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return found[:100] if isinstance(found, str) else ""
