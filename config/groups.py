"""Who else is in a group of this machine."""

import functools
import os
from typing import Final

ROOTS: Final = 0
"""Root may do everything anyway, and containers give this group to users whose number is made up."""


@functools.lru_cache(maxsize=64)
def others_in(gid: int) -> tuple[str, ...]:
    """The users who are in this group beside the one who runs this process and root, as far as the system knows them:
    those of the group's list, and those whose own group it is. A group that nobody knows, as that of a folder of
    another machine, has none, and so has the one that a user has alone, as many systems give it to each."""
    try:
        import grp
        import pwd
    except ImportError:  # no such groups here
        return ()
    if gid == ROOTS:
        return ()
    try:
        found = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        return ()
    people = pwd.getpwall()
    found |= {each.pw_name for each in people if each.pw_gid == gid}
    mine = {each.pw_name for each in people if each.pw_uid in {0, os.geteuid()}}
    return tuple(sorted(found - mine))
