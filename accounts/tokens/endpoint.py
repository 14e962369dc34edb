"""Whether the token endpoint speaks at all, which is asked where that is in doubt.

An answer that is lost may cost an account: its token is spent, or can be sent once more only. So after one, no other
token leaves before the endpoint has answered a question that bears none, and no token ever leaves for its last time
without that. The question is sent as a token is: what drops the one drops the other. Where it does not, and a second
answer is lost, the endpoint gets one token in a while, each time after a longer one. One bad moment of the endpoint
then costs one account at most, and no second chance of any.
"""

from collections.abc import Callable
from typing import Final

from config import clock
from config.network.outbound import way_to
from config.settings import ConfigError

SECONDS: Final = 10.0
"""For a connection, and for an answer."""
LONGEST: Final = 900.0
"""Seconds of silence after which one token is sent all the same: the question may be what is not answered. So long no
token is sent, either, after the answers to two were lost."""
MOST_PAUSE: Final = 21_600.0
"""With each further answer that is lost both double, up to this. So long a token waits that would leave for its last
time."""
_TROUBLE: Final = frozenset({500, 502, 503, 504})
"""What is answered in front of an endpoint that is away, or by one that is about to break. Others say that it is
there: it takes no question of this kind."""
_QUESTION: Final[dict[str, str]] = {}
"""As a token is sent, without one."""

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
            return client.post(url, json=_QUESTION).status_code not in _TROUBLE
    except (httpx.HTTPError, httpx.InvalidURL, ConfigError):
        return False


class EndpointDoubt:
    """Of one process. May be asked from any thread. `counted` gives seconds of a clock that never jumps."""

    def __init__(self, speaks: Speaks, counted: Callable[[], float] = clock.monotonic) -> None:
        self._speaks = speaks
        self._counted = counted
        self._losses = 0
        """Answers in a row that were lost."""
        self._lost_at = 0.0
        self._silent_since: float | None = None

    def check(self, url: str, *, last: bool) -> None:
        """A token is about to leave, `last`: for the last time. Raises EndpointSilent if it must not now."""
        if not (last or self._losses):
            return
        now = self._counted()
        since = now if self._silent_since is None else self._silent_since
        is_early = self._losses > 1 and now - self._lost_at < self._pause(self._losses - 1, last=last)
        if not is_early and self._speaks(url):
            self._silent_since = None
            return
        self._silent_since = since
        if is_early or now - since < self._pause(max(1, self._losses), last=last):
            raise EndpointSilent

    def lost(self) -> None:
        """A token has left, and no answer came."""
        self._losses, self._lost_at, self._silent_since = self._losses + 1, self._counted(), None

    def answered(self) -> None:
        self._losses, self._silent_since = 0, None

    def _pause(self, times: int, *, last: bool) -> float:
        """A second chance is kept as long as there are others who have one left."""
        return MOST_PAUSE if last else min(MOST_PAUSE, LONGEST * 2.0 ** min(times - 1, 16))
