"""The time zone of this machine's user, with its name where it has one."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from config import clock

LOCALTIME = Path("/etc/localtime")
"""A link into the database of time zones, on most systems."""


def local_zone(environ: Mapping[str, str] = os.environ, link: Path = LOCALTIME) -> tzinfo:
    """The zone that TZ names, else the machine's. One without a name is the offset from UTC that holds now."""
    for name in (environ.get("TZ", "").removeprefix(":"), _linked(link)):
        if name:
            try:
                return ZoneInfo(name)
            except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
                continue
    return datetime.fromtimestamp(clock.now(), UTC).astimezone().tzinfo or UTC


def _linked(link: Path) -> str:
    try:
        return str(link.resolve(strict=True)).partition("zoneinfo/")[2]
    except OSError:
        return ""
