"""A message that is made leaves nothing for the garbage collector."""

import gc
import weakref
from collections.abc import Iterator
from typing import Final

import pytest
from mitmproxy import http

from addons.attempts.patches import typechecks

CHECKED: Final = http.MessageData.__post_init__


class Caller:
    """Somebody whose frame makes a message."""

    def make(self) -> http.Request:
        return http.Request(
            "chatgpt.com", 443, b"POST", b"https", b"", b"/", b"HTTP/1.1", http.Headers(), b"x", None, 0.0, None
        )


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def stays() -> bool:
    """Whether somebody who has made a message is still there."""
    caller = Caller()
    caller.make()
    seen = weakref.ref(caller)
    del caller
    return seen() is not None


@pytest.mark.usefixtures("uncollected")
def test_who_makes_a_message_goes_without_the_garbage_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http.MessageData, "__post_init__", CHECKED)  # undone at the end
    assert stays(), "mitmproxy has mended it: we need not"
    typechecks.skip_message_typechecks()
    assert not stays()
