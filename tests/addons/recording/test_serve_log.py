"""What `serve` shows of the log: turns, and warnings with a way out; nothing of what is normal."""

import io
import logging

import pytest
from mitmproxy.addons.termlog import TermLog
from mitmproxy.test import taddons

from accounts.states import AccountState, State
from addons import upstream_proxy
from addons.recording import serve_log, turn_log
from addons.recording.serve_log import Look, More, Short, Turns, counted, dress
from tests.rows import all_rows

DISTRUST = (
    "Client TLS handshake failed. The client does not trust the proxy's certificate for chatgpt.com "
    "(OpenSSL Error([('SSL routines', '', 'ssl/tls alert unknown ca')]))"
)


def record(
    message: str, level: int = logging.INFO, name: str = "mitmproxy.proxy.server", at: float = 0.0
) -> logging.LogRecord:
    made = logging.LogRecord(name, level, "", 0, message, (), None)
    if at:
        made.created = at
    return made


@all_rows(
    ("message", "level", "name", "shown"),
    [
        ("ann  work  ok", logging.INFO, "addons.recording.turn_log", True),
        ("ann  warm-up", logging.DEBUG, "addons.recording.turn_log", True),
        ("codex-rotate is listening at", logging.INFO, "addons.recording.serve_log", True),
        ("codex-rotate: set what it needs", logging.INFO, "addons.startup", False),
        ("codex-rotate: a is signed out", logging.WARNING, "addons.exchange.notices", True),
        ("client connect", logging.INFO, "mitmproxy.proxy.server", False),
        ("Web server listening at http://127.0.0.1:8081/?token=x", logging.INFO, "mitmproxy.tools.web.master", True),
        (
            "Client TLS handshake failed. Cannot parse ClientHello: 474554",
            logging.WARNING,
            "mitmproxy.proxy.server",
            False,
        ),
        ("404 GET /src/css/vendor.less (127.0.0.1)", logging.WARNING, "tornado.access", False),
        ("500 GET / (127.0.0.1)", logging.ERROR, "tornado.access", True),
        ("TLS Error: unexpected eof", logging.WARNING, "mitmproxy.proxy.server", False),
        ("Server TLS handshake failed. Certificate verify failed", logging.WARNING, "mitmproxy.proxy.server", True),
        ("mitmproxy has crashed!", logging.ERROR, "mitmproxy.proxy.server", True),
        (DISTRUST, logging.WARNING, "mitmproxy.proxy.server", True),
    ],
)
def test_what_is_shown_by_default(message: str, level: int, name: str, shown: bool) -> None:
    assert Turns().filter(record(message, level, name)) is shown


def test_the_names_are_those_of_the_loggers() -> None:
    assert {turn_log.logger.name, upstream_proxy.logger.name, serve_log.logger.name} == serve_log.SHOWN


def test_somebody_who_leaves_in_the_middle_is_no_error() -> None:
    error = ConnectionResetError()
    info = (type(error), error, None)
    left = logging.LogRecord("mitmproxy.master", logging.ERROR, "", 0, "Unhandled error", (), info)
    assert not Turns().filter(left)


def test_a_client_that_does_not_trust_us_is_told_once_a_minute() -> None:
    turns = Turns()
    said = [turns.filter(record(DISTRUST, logging.WARNING, at=1000.0 + after)) for after in (0, 1, 59, 61, 62)]
    assert said == [True, False, False, True, False]
    assert "codex-rotate run codex" in Short(colours=False).format(record(DISTRUST, logging.WARNING))


def test_more_is_mitmproxy_s_lines_and_all_of_ours() -> None:
    assert More().filter(record("client connect"))
    assert More().filter(record("work: usage_limit", logging.DEBUG, "addons.exchange.notices"))
    assert not More().filter(record("transports closed!", logging.DEBUG))


def test_the_form_is_a_time_and_the_words() -> None:
    plain, coloured = Short(colours=False), Short(colours=True)
    assert plain.format(record("client connect"))[8:] == " client connect"
    assert plain.format(record("gone", logging.WARNING))[8:] == " warning: gone"
    assert coloured.format(record("gone", logging.ERROR))[8:] == " \x1b[31merror: gone\x1b[0m"
    assert coloured.format(record("work  ok"))[8:] == " work  ok"


@pytest.mark.parametrize("look", [Look.TURNS, Look.MORE])
def test_a_line_with_what_the_terminal_lacks_is_still_a_line(look: Look) -> None:
    out = io.TextIOWrapper(io.BytesIO(), "ascii")
    with taddons.context(termlog := TermLog(out)) as context:
        dress(context.master.addons, look, {})
        termlog.logger.handle(record("work → spare", name="addons.recording.turn_log"))
        termlog.uninstall()
    out.flush()
    assert out.buffer.getvalue().endswith(b" work ? spare\n")  # type: ignore[attr-defined]


def test_as_it_is_is_mitmproxy_s_own_form() -> None:
    with taddons.context(termlog := TermLog(io.StringIO())) as context:
        before = termlog.logger.formatter
        dress(context.master.addons, Look.AS_IT_IS, {})
        assert (termlog.logger.formatter, termlog.logger.filters) == (before, [])
        termlog.uninstall()


def test_the_accounts_that_can_serve_now_are_counted() -> None:
    """By what they are doing: one that rests, or is kept for its owner, does not serve, whatever its standing."""
    ready, nearly = AccountState(State.READY), AccountState(State.NEARLY_SPENT)
    assert (counted([ready]), counted([ready, nearly])) == ("1 account", "2 accounts")
    out = [
        AccountState(State.RESTING, barred=True),
        AccountState(State.RESERVED, barred=True),
        AccountState(State.SPENT),
    ]
    assert counted([ready, *out]).startswith("1 of 4 accounts (`codex-rotate list`")
