"""Which thread a request belongs to, and which model it wants. Pure. docs/codex-wire.md section 2.1."""

import re
from collections.abc import Callable
from typing import Final

THREAD_HEADERS: Final = ("thread-id", "thread_id", "session-id", "session_id", "conversation-id", "conversation_id")
_CACHE_KEY: Final = re.compile(rb'"prompt_cache_key"\s*:\s*"([\w.:-]{1,200})"', re.ASCII)


def thread_of(header: Callable[[str], str | None]) -> str:
    """The first identifier the client sends of those that name a conversation; empty when it sends none."""
    for name in THREAD_HEADERS:
        value = header(name)
        if value:
            return value[:200]
    return ""


def model_of(header: Callable[[str], str | None]) -> str:
    """The model named by the client's routing hint; empty when it names none."""
    name, _, value = (header("x-codex-routing-hint") or "").partition("=")
    return value.strip()[:100] if name.strip() == "model" else ""


def thread_in(body: bytes) -> str:
    """The conversation named by a request's JSON body, for clients that name none in a header; empty for none."""
    found = _CACHE_KEY.search(body)
    return found[1].decode() if found else ""
