"""Which hosts are this machine itself."""

import functools
import ipaddress


@functools.lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can be meant."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
