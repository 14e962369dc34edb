"""Leaves out what the coding of HTTP/2's headers would say of each field at log level debug.

It asks 106 times a turn whether anybody wants to know; mitmproxy never shows it.
"""

import logging
from typing import Final

_LOGS: Final = ("hpack.hpack", "hpack.table")


def silence_header_coding() -> None:
    """In this process, unless somebody listens to it."""
    for log in map(logging.getLogger, _LOGS):
        if not log.isEnabledFor(logging.DEBUG):
            log.debug = _nothing  # type: ignore[method-assign,assignment]


def _nothing(_: object, *__: object) -> None:
    return
