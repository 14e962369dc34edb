"""Which thread a request belongs to. Pure. docs/codex-wire.md section 2.1."""

from collections.abc import Callable
from typing import Final

THREAD_HEADERS: Final = ("thread-id", "thread_id", "session-id", "session_id", "conversation-id", "conversation_id")


def thread_of(header: Callable[[str], str | None]) -> str:
    """The first identifier the client sends of those that name a conversation; empty when it sends none."""
    for name in THREAD_HEADERS:
        value = header(name)
        if value:
            return value[:200]
    return ""
