"""The only place that reads the clock or waits. Everything that decides takes `now` as an argument instead."""

import time


def now() -> float:
    """Seconds since the epoch, as upstream's reset times and token expiries are given."""
    return time.time()  # noqa: TID251 - this module is where the ban points to


def monotonic() -> float:
    """Seconds on a clock that never jumps, for durations only."""
    return time.monotonic()  # noqa: TID251 - this module is where the ban points to


def pause(seconds: float) -> None:
    """Wait, for the few who try something again. They take this as an argument."""
    time.sleep(seconds)  # noqa: TID251 - this module is where the ban points to
