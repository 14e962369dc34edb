"""What HTTP/2's coding of headers says at log level debug is left out, unless somebody listens."""

import logging
from collections.abc import Iterator

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection

from addons.attempts.patches import header_coding_log
from addons.attempts.patches.header_coding_log import silence_header_coding

LOGS = tuple(map(logging.getLogger, header_coding_log._LOGS))


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    for log in LOGS:
        vars(log).pop("debug", None)
    yield
    for log in LOGS:
        vars(log).pop("debug", None)


def coded(caplog: pytest.LogCaptureFixture, level: int) -> int:
    """How many lines there are of headers that go through, unchanged."""
    for log in LOGS:
        caplog.set_level(level, log.name)
    silence_header_coding()
    one, other = H2Connection(), H2Connection(H2Configuration(client_side=False, header_encoding=None))
    for each in (one, other):
        each.initiate_connection()
    fields = [(b":method", b"GET"), (b":path", b"/"), (b":scheme", b"https"), (b":authority", b"x"), (b"x-one", b"1")]
    one.send_headers(1, fields)
    (*_, came) = [each for each in other.receive_data(one.data_to_send()) if hasattr(each, "headers")]
    assert [tuple(each) for each in came.headers] == fields
    LOGS[0].warning("still said")
    return sum(each.levelno == logging.DEBUG for each in caplog.records)


def test_nothing_is_said_of_each_field(caplog: pytest.LogCaptureFixture) -> None:
    assert coded(caplog, logging.INFO) == 0
    assert [each.getMessage() for each in caplog.records] == ["still said"]
    assert "debug" in vars(LOGS[0])


def test_who_listens_hears_it(caplog: pytest.LogCaptureFixture) -> None:
    assert coded(caplog, logging.DEBUG) > 0
    assert "debug" not in vars(LOGS[0])
