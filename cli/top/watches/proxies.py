"""Asks the proxies that run what is under way in them."""

import os
from collections.abc import Mapping

from cli.running import proxies
from cli.running.live_turns import live_turns
from cli.top.facts import ProxyFacts
from config import proxy_files
from config.errors import RotateError

ASK_SECONDS = 5.0
"""How often they are asked whether they are still there, as long as none has gone or come."""


class ProxyWatch:
    """For one thread at a time."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._asked = 0.0
        self._announced: tuple[int, ...] = ()
        self._urls: tuple[str, ...] = ()

    def look(self, now: float) -> ProxyFacts:
        """Nobody is asked where no proxy has left its file. Never raises: one that cannot be asked is none."""
        try:
            return self._look(now)
        except (OSError, RotateError):
            return ProxyFacts()

    def _look(self, now: float) -> ProxyFacts:
        announced = tuple(each.pid for each in proxy_files.announced(proxy_files.folder(self._environ)))
        if not announced:
            self._announced, self._urls = (), ()
            return ProxyFacts()
        if announced != self._announced or not 0 <= now - self._asked < ASK_SECONDS:
            self._urls = tuple(each.url for each in proxies.running(self._environ))
            self._announced, self._asked = announced, now
        return ProxyFacts(urls=self._urls, turns=tuple(live_turns(self._environ)) if self._urls else ())
