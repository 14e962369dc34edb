"""Whatever is logged is masked where it is printed, however it was put together."""

import logging
from collections.abc import Iterator

import pytest
from mitmproxy.test import taddons

from addons.redaction.logs import MaskedLogs
from addons.startup import Startup

MAIL = "owner@example.com"


class Printed(logging.Handler):
    """A handler like mitmproxy's own: it prints whole lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def printed() -> Iterator[Printed]:
    handler = Printed()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("redact", [True, False])
def test_a_line_is_masked_unless_the_user_wants_to_see_it(printed: Printed, redact: bool) -> None:
    startup = Startup()
    logs = MaskedLogs(startup)
    with taddons.context(startup, logs) as context:
        context.options.rotate_redact = redact
        logs.running()
        logging.getLogger("somebody").warning("hello %s, that is 100 %%", MAIL)
        logs.done()
    assert printed.lines == [f"hello {'[e-mail]' if redact else MAIL}, that is 100 %"]


def test_a_traceback_is_masked_too(printed: Printed) -> None:
    startup = Startup()
    logs = MaskedLogs(startup)
    with taddons.context(startup, logs):
        logs.running()
        try:
            int(f"Bearer abc123def of {MAIL}")
        except ValueError:
            logging.getLogger("somebody").exception("failed")
        logs.done()
    (line,) = printed.lines
    assert "Bearer [token] of [e-mail]" in line
    assert MAIL not in line


def test_after_us_the_log_is_as_it_was(printed: Printed) -> None:
    startup = Startup()
    logs = MaskedLogs(startup)
    with taddons.context(startup, logs):
        logs.running()
        logs.done()
        logging.getLogger("somebody").warning(MAIL)
    assert printed.lines == [MAIL]
