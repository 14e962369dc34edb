"""Keeps what clients send out of the log: mitmproxy quotes what it cannot parse, and some of what it can."""

import logging
from typing import Final

from addons.redaction.masking import masked
from addons.redaction.patterns import IN_LOGS
from addons.startup import Startup

_TRACEBACKS: Final = logging.Formatter()
_DONE: Final = "is_masked"


class MaskedLogs(logging.Filter):
    """Masks each line where it is about to be printed or kept, by mitmproxy's own handlers."""

    def __init__(self, startup: Startup) -> None:
        super().__init__()
        self.startup = startup
        self._handlers: list[logging.Handler] = []

    def running(self) -> None:
        self._handlers = list(logging.getLogger().handlers)
        for handler in self._handlers:
            handler.addFilter(self)

    def done(self) -> None:
        for handler in self._handlers:
            handler.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        if not self.startup.chosen.rotate_redact or getattr(record, _DONE, False):
            return True
        setattr(record, _DONE, True)  # there are several handlers
        said = record.getMessage()
        shown = self._masked(said)
        if shown != said:
            record.msg, record.args = shown, ()
        if record.exc_info:
            record.exc_text = self._masked(_TRACEBACKS.formatException(record.exc_info))
        return True

    def _masked(self, text: str) -> str:
        shown = masked(text.encode("utf-8", "replace"), self.startup.account_ids, IN_LOGS)
        return shown.decode("utf-8", "replace")
