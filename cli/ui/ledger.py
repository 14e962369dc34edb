"""The ledger for whoever shows it: opening it with errors in words, and the words for what it sums up."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from accounts.ledger.prices import PriceList
from accounts.ledger.queries import Grouping, UsageReader
from accounts.ledger.usage_db import UsageTooNew
from accounts.views import usage
from accounts.views.usage import UsageSum
from cli.ui.lines import plain
from config.errors import RotateError


class UnreadableLedger(RotateError):
    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            f"{file} cannot be read as the ledger ({why}). Turns go on without it. Move the file away, and running "
            "proxies make a new one."
        )


class NewerLedger(RotateError):
    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} was written by a newer version of codex-rotate. Upgrade this one.")


@contextmanager
def opened(file: Path) -> Iterator[UsageReader]:
    """The ledger, to be read. Raises UnreadableLedger and NewerLedger, also for what goes wrong in reading."""
    try:
        with closing(UsageReader(file)) as reader:
            yield reader
    except UsageTooNew as e:
        raise NewerLedger(file) from e
    except (sqlite3.Error, OSError) as e:
        raise UnreadableLedger(file, getattr(e, "strerror", None) or str(e)) from e


def own_prices() -> PriceList | None:
    """The prices with the user's own; None if nothing is to be said of them. Raises ConfigError."""
    from config import settings  # late: msgspec

    in_force = settings.load()
    return PriceList.with_own(in_force.prices) if in_force.show_prices else None


def group_name(by: Grouping, each: UsageSum) -> str:
    """A group as a terminal shows it."""
    return plain(usage.group_name(by, each.group, each.shown))


def percent(each: UsageSum) -> str:
    """How much of the input was cached, "" where there was none."""
    hit = each.cached_percent
    return "" if hit is None else f"{round(hit)} %"


def dollars(each: UsageSum) -> str:
    """What is known of the price; `+` for what is not."""
    if each.cost is None or (each.unpriced and not each.cost):
        return "unknown" if each.unpriced else ""
    return f"${each.cost:,.2f}{' +' if each.unpriced else ''}"
