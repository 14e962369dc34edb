"""How many files and connections the proxy may have open at once."""

import logging
from contextlib import suppress

logger = logging.getLogger(__name__)


def raise_limit() -> int:
    """Raise the soft limit to the hard one: many systems start programs with 256 or 1024, and a turn takes two. The
    limit from then on; 0 where the system has none."""
    try:
        import resource  # not on Windows
    except ImportError:
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # some systems say that there is no limit, and refuse more than one they do not name
    for wanted in (hard, 1 << 16, 10_240):
        if _is_more(wanted, soft, resource.RLIM_INFINITY) and (hard == resource.RLIM_INFINITY or wanted <= hard):
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _is_more(wanted: int, than: int, no_limit: int) -> bool:
    return than != no_limit and (wanted == no_limit or wanted > than)
