"""Whether it is a time of the day at which nobody is told anything. Pure."""

from datetime import datetime, tzinfo

from config.notify import QuietHours


def is_quiet(quiet: QuietHours | None, now: float, zone: tzinfo) -> bool:
    """By the clock on the wall of this zone."""
    if quiet is None:
        return False
    there = datetime.fromtimestamp(now, zone)
    return quiet.hold(there.hour * 60 + there.minute)
