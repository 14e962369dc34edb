"""Other users of this machine, as whom a test opens connections and starts programs. That takes root."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

OTHER: Final = 65_533
"""A user that nobody is."""


def why_not() -> str:
    """Why this cannot be tested here; "" when it can."""
    if sys.platform != "linux":
        return "whose a connection is only Linux tells"
    if os.geteuid() != 0:
        return "only root can act as another user"
    return ""


@contextmanager
def acting_as(uid: int | None) -> Iterator[None]:
    """What this thread opens is this user's; None changes nothing. Files that are not open to all cannot be reached."""
    if uid is None:
        yield
        return
    libc = ctypes.CDLL(None)
    before = libc.setfsuid(uid)
    try:
        assert libc.setfsuid(-1) == uid, "this process may not act as another user"
        yield
    finally:
        libc.setfsuid(before)
