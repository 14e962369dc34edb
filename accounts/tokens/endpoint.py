"""Whether the token endpoint speaks at all, which is asked where that is in doubt.

An answer that is lost may cost an account: its token is spent, or can be sent once more only. So after one, no other
token leaves before the endpoint has answered a question that bears none, and no token ever leaves for its last time
without that. One bad moment of the endpoint then costs one account at most, and no second chance of any.
"""

from collections.abc import Callable
from typing import Final

from config import clock
from config.network.outbound import way_to
from config.settings import ConfigError

SECONDS: Final = 10.0
"""For a connection, and for an answer."""
LONGEST: Final = 900.0
"""Seconds of silence after which one token is sent all the same: the question may be what is not answered."""
_TROUBLE: Final = frozenset({500, 502, 503, 504})
"""What is answered in front of an endpoint that is away, or by one that is about to break. Others say that it is
there: it takes no question of this kind."""

type Speaks = Callable[[str], bool]


class EndpointSilent(OSError):
    """Nothing was sent to it."""

    def __init__(self) -> None:
        super().__init__("the token endpoint does not answer; nothing is sent to it until it does")


def speaks(url: str) -> bool:
    """Whether the endpoint at this address answers a question without a token."""
    import httpx

    try:
        with way_to(url).client(SECONDS) as client:
            return client.get(url).status_code not in _TROUBLE
    except (httpx.HTTPError, httpx.InvalidURL, ConfigError):
        return False


class EndpointDoubt:
    """Of one process. May be asked from any thread. `counted` gives seconds of a clock that never jumps."""

    def __init__(self, speaks: Speaks, counted: Callable[[], float] = clock.monotonic) -> None:
        self._speaks = speaks
        self._counted = counted
        self._lost = False
        self._silent_since: float | None = None

    def check(self, url: str, *, last: bool) -> None:
        """A token is about to leave, `last`: for the last time. Raises EndpointSilent if it must not now."""
        if not (last or self._lost) or self._speaks(url):
            return
        now = self._counted()
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since < LONGEST:
            raise EndpointSilent

    def lost(self) -> None:
        """A token has left, and no answer came."""
        self._lost, self._silent_since = True, None

    def answered(self) -> None:
        self._lost, self._silent_since = False, None
