"""How the log looks under `serve`: a line for each turn, warnings with what to do about them, and little else.

mitmproxy's own handler still prints; what it is given here is a filter, and a form in which a line is short.
"""

import logging
import os
import re
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Final, TextIO

from mitmproxy.addonmanager import AddonManager

from accounts.states import AccountState
from accounts.views.account_list import states_in
from config import clock

logger = logging.getLogger(__name__)


class Look(StrEnum):
    """What is shown."""

    TURNS = "turns"
    MORE = "more"
    """mitmproxy's lines as well, and what is no turn."""
    WARNINGS = "warnings"
    """What went wrong, in mitmproxy's own form: for a log that somebody reads afterwards, if anybody. Other lines are
    not even made: each would be masked and written for nobody, of which mitmproxy has a handler."""
    AS_IT_IS = ""
    """What mitmproxy's own options say, in its own form."""


SHOWN: Final = frozenset({"addons.recording.turn_log", "addons.upstream_proxy", __name__})
"""Whose lines are shown where only turns are."""
OURS: Final = ("addons", "accounts", "config")
COLOURS: Final = {logging.WARNING: "33", logging.ERROR: "31"}
WORDS: Final = {logging.WARNING: "warning: ", logging.ERROR: "error: "}
UNTRUSTED_SECONDS: Final = 60.0
"""So long it is not said again that clients do not trust the proxy for a host."""

_PAGE_ACCESS: Final = "tornado.access"
_PLACE: Final = re.compile(r"Web server listening at ")
_FAILED: Final = r"Client TLS handshake failed\. "
_UNTRUSTED: Final = re.compile(_FAILED + r"The client does not trust the proxy's certificate for (\S+)")
_USUAL: Final = re.compile(_FAILED + r"|TLS Error: ")
"""Warnings of mitmproxy about what clients do every day: to leave, or to look who is there."""


def untrusted(host: str) -> str:
    return (
        f"codex-rotate: a client does not trust this proxy for {host}. Start it with `codex-rotate run codex`, or in a "
        'shell after `eval "$(codex-rotate env)"`.'
    )


class Turns(logging.Filter):
    """Lets through what somebody who only uses the proxy wants to see."""

    def __init__(self) -> None:
        super().__init__()
        self._untrusted: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return record.name in SHOWN or _PLACE.match(record.getMessage()) is not None
        if record.name.startswith(OURS):
            return True
        missing = record.name == _PAGE_ACCESS and record.levelno < logging.ERROR  # a file that mitmweb's own page lacks
        left = record.exc_info and isinstance(record.exc_info[1], ConnectionError)  # in the middle of something
        if missing or left:
            return False
        said = record.getMessage()
        found = _UNTRUSTED.match(said)
        if found is None:
            return not _USUAL.match(said)
        before = self._untrusted.get(found[1], 0.0)
        if record.created - before < UNTRUSTED_SECONDS:
            return False
        self._untrusted = {found[1]: record.created}
        return True


class More(logging.Filter):
    """Lets through what mitmproxy shows by itself, and all that is ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.INFO or record.name.startswith(OURS)


class Short(logging.Formatter):
    """The local time and the words; in colour only what is a warning, and only where there are colours."""

    def __init__(self, *, colours: bool) -> None:
        super().__init__()
        self.colours = colours

    def format(self, record: logging.LogRecord) -> str:
        said = record.getMessage()
        found = _UNTRUSTED.match(said)
        text = f"{WORDS.get(record.levelno, '')}{untrusted(found[1]) if found else said}"
        if record.exc_info:
            text = f"{text}\n{record.exc_text or self.formatException(record.exc_info)}"
        if self.colours and record.levelno in COLOURS:
            text = f"\x1b[{COLOURS[record.levelno]}m{text}\x1b[0m"
        return f"{self.formatTime(record, '%H:%M:%S')} {text}"


def dress(addons: AddonManager, look: Look, environ: Mapping[str, str] = os.environ) -> None:
    """Have mitmproxy's handler show the log that way."""
    if look is Look.WARNINGS:
        logging.getLogger().setLevel(logging.WARNING)
    termlog = addons.get("termlog")
    if termlog is None or look in {Look.AS_IT_IS, Look.WARNINGS}:
        return
    handler = termlog.logger
    handler.addFilter(Turns() if look is Look.TURNS else More())
    handler.setFormatter(Short(colours=handler.has_vt_codes and not environ.get("NO_COLOR")))
    reconfigure = getattr(handler.file, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # a line with a character that the terminal lacks is still a line


def greet(addons: AddonManager) -> None:
    """The proxy can be used: where, with how many accounts, and how. Nothing when it cannot."""
    discovery, startup = addons.get("discovery"), addons.get("startup")
    if discovery is None or discovery.told is None or startup.service is None:
        return
    who = counted(states_in(startup.service.pool, clock.now()).values())
    logger.info("codex-rotate is listening at %s with %s.", discovery.told.url, who)
    if not discovery.told.everything:  # that has its own way to be used, which was told before
        logger.info('In another terminal: codex-rotate run codex, or eval "$(codex-rotate env)". Ctrl-C ends it.')
    dashboard = addons.get("dashboard")
    if dashboard is not None and dashboard.entrance:
        show_entrance(dashboard.entrance, dashboard.aside)


def show_entrance(address: str, aside: str = "", out: TextIO | None = None) -> None:
    """Where the page is, for who has started the proxy. It lets one in, so it is no line of the log, which is kept in
    places that others read, and in which it would be masked."""
    stream = out or sys.stdout
    with suppress(OSError, ValueError):
        stream.write(f"The page is at {address}{f' ({aside})' if aside else ''}\n")
        stream.flush()


def counted(states: Collection[AccountState]) -> str:
    """How many of these accounts can serve now."""
    everybody, able = len(states), sum(each.serves for each in states)
    if able == everybody:
        return f"{everybody} account{'' if everybody == 1 else 's'}"
    return f"{able} of {everybody} accounts (`codex-rotate list` says why the others do not serve now)"
