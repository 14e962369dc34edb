"""Who sealed what: found in the flows of a capture, which show what each account has sealed. Pure.

A sealed content says nothing about its owner. But it was made in an answer, and the flow of that answer names the
account that gave it (addons/recording/annotations.py).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from mitmproxy import flow, http

from accounts.requests.identity import thread_of
from addons.inspection.body import unpacked
from addons.recording.annotations import PREFIX

MOST_BYTES: Final = 32 * 1024 * 1024
"""What is searched for an owner at most, the newest answers first."""

_BLOB: Final = re.compile(rb'"encrypted_content"\s*:\s*"([^"\\]+)"')


def account_of(seen: http.HTTPFlow) -> str:
    """The label of the account whose answer a flow shows; "" if it does not say."""
    attempts = seen.metadata.get(f"{PREFIX}attempts")
    last = attempts[-1] if isinstance(attempts, list | tuple) and attempts else None
    label = last.get("account") if isinstance(last, dict) else None
    return label if isinstance(label, str) else ""


class Owners:
    """The owners of what is sealed in one conversation. Nothing is searched before somebody asks."""

    def __init__(self, about: http.HTTPFlow, flows: Iterable[flow.Flow]) -> None:
        self._about = about
        self._flows = flows
        self._known: dict[str, str] | None = None

    def __call__(self, blob: str) -> str:
        if self._known is None:
            self._known = dict(self._search())
        return self._known.get(blob, "")

    def _search(self) -> Iterator[tuple[str, str]]:
        thread, room = thread_of(self._about.request.headers.get), MOST_BYTES
        for seen in reversed(list(self._flows)):
            if not isinstance(seen, http.HTTPFlow):
                continue
            if seen is not self._about and thread_of(seen.request.headers.get) != thread:
                continue
            label = account_of(seen)
            for body in _answers(seen) if label else ():
                room -= len(body)
                if room < 0:
                    return
                for found in _BLOB.finditer(body):
                    yield found[1].decode("utf-8", "replace"), label


def _answers(seen: http.HTTPFlow) -> Iterator[bytes]:
    """What upstream said: on a socket each message of the server, the newest first."""
    if seen.websocket is not None:
        yield from (each.content for each in reversed(seen.websocket.messages) if not each.from_client)
    elif seen.response is not None:
        yield unpacked(seen.response.raw_content or b"", seen.response.headers.get("content-encoding", ""))
