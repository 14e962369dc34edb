"""Whether the proxy is alive, and whether a turn that came now would be served. Nothing else is said of either."""

from collections.abc import Callable
from typing import Final

from accounts import states
from accounts.choice.selection import Situation
from addons.startup import Startup

LOOK_SECONDS: Final = 1.0
"""So long an answer holds: whoever asks all the time costs nothing."""


class Health:
    """Of one proxy. `leaving` says whether it finishes its turns and takes no new ones."""

    def __init__(self, startup: Startup, leaving: Callable[[], bool] = lambda: False) -> None:
        self.startup = startup
        self.leaving = leaving
        self._known: tuple[float, bool] | None = None

    def alive(self) -> bool:
        """Whoever can say so is."""
        return True

    def ready(self) -> bool:
        """Whether the pool is open, and somebody in it could serve a new thread."""
        service = self.startup.service
        if service is None or self.leaving():
            return False
        moment = service.steady()
        if self._known is None or not 0 <= moment - self._known[0] < LOOK_SECONDS:
            self._known = moment, self._somebody_serves()
        return self._known[1]

    def _somebody_serves(self) -> bool:
        service = self.startup.opened()
        service.sync(at_once=True)
        pool = service.pool
        about = Situation(now=service.clock(), policy=pool.policy)
        return any(states.tell(each, about, pool.tokens.get(key)).serves for key, each in pool.candidates.items())


def answer(well: bool) -> tuple[int, bytes]:
    """The status and the body of an answer to /healthz or /readyz."""
    return (200, b"ok\n") if well else (503, b"not ready\n")
