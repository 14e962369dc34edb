"""Keeps a proxy at the address that a client was given: one that dies is replaced at once, by whoever notices first."""

import threading
from collections.abc import Callable, Mapping
from typing import Final, Self
from urllib.parse import urlsplit

from cli.running import proxies
from cli.running.proxy_command import PortTaken
from config import clock, proxy_files
from config.errors import RotateError

DEATHS: Final = 3
WITHIN_SECONDS: Final = 60.0
"""So many deaths within such a time are no accident."""
PATIENCE: Final = 2.0
"""How long the end of the client waits for a replacement that is under way."""
REPLACED: Final = "the proxy ended{how}; another one runs at the same address since."

type Start = Callable[[str, int], proxies.Started]
"""Starts a proxy at a host and a port. Raises RotateError or OSError."""


class Guard:
    """One per client, while that runs. The thread that notices a death does the work; no signal arrives in it."""

    def __init__(
        self, first: proxies.Started, start: Start, tell: Callable[[str], object], environ: Mapping[str, str]
    ) -> None:
        """`tell` gets a line for each proxy that was replaced. Raises OSError when the first one is not there."""
        self.given_up = ""
        """Why the client is without a proxy for good."""
        self._current = first
        self._start = start
        self._tell = tell
        self._environ = environ
        self._deaths: list[float] = []
        self._over = threading.Event()
        self._replacing = threading.Lock()
        self._hold = self._held()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._hold.close()
        if self._replacing.acquire(timeout=PATIENCE):  # what it has to say belongs to this client's end
            self._replacing.release()

    def trouble(self) -> str:
        """Why the client is without a proxy, for good or at this moment; "" when it has one."""
        return self.given_up or (self._death() if self._hold.lost() else "")

    def _held(self) -> proxies.Hold:
        return proxies.Hold(self._current.presence, lost=self._replace)

    def _replace(self) -> None:
        """The current one has gone."""
        with self._replacing:
            self._try_to_replace()

    def _try_to_replace(self) -> None:
        held, why = False, ""
        while not held:
            now = clock.monotonic()
            self._deaths = [*(each for each in self._deaths if now - each < WITHIN_SECONDS), now]
            if len(self._deaths) >= DEATHS:
                self.given_up = f"{DEATHS} times within a minute; the last time: {why or self._death()}"
                return
            if self._over.is_set():
                return
            try:
                held, why = self._took_over(), ""
            except proxies.ProxyDidNotStart as e:  # or it died just then: as good as a death
                why = str(e)
        if self._over.is_set():
            self._hold.close()

    def _took_over(self) -> bool:
        """Whether there is another one that we hold, or will never be. Raises ProxyDidNotStart."""
        before = self._current
        url = before.presence.url
        parts = urlsplit(url)
        try:
            with proxies.alone(proxy_files.folder(self._environ)):
                self._current = self._found() or self._start(parts.hostname or "", parts.port or 0)
        except PortTaken:
            self.given_up = f"{before.ending or 'it has left no word'}, and another program has its address {url} now"
            return True
        except proxies.ProxyDidNotStart:
            raise
        except (RotateError, OSError) as e:
            self.given_up = f"{self._death()}; and no other could be started: {e}"
            return True
        try:
            self._hold = self._held()
        except OSError:  # that one is gone as well
            return False
        self._tell(REPLACED.format(how=f" ({how})" if (how := before.ending) else ""))
        return True

    def _found(self) -> proxies.Started | None:
        """What another `run`, or the owner, has started there meanwhile, with the CA that the client trusts."""
        lost = self._current.presence
        for each in proxies.running(self._environ):
            if (each.url, each.certificate) == (lost.url, lost.certificate):
                return proxies.Started(presence=each)
        return None

    def _death(self) -> str:
        """How the current one ended: its own words if it had some to say."""
        words = proxies.last_words(proxies.log_of(self._current.presence, self._environ))
        return " / ".join(words) or self._current.ending or "it has left no word"
