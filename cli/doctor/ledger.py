"""`doctor`: the ledger of turns, which nothing but the counting of use needs."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from accounts.ledger.queries import LostTurns, read_usage
from accounts.ledger.usage_db import damage_of_usage
from cli.doctor.finding import Findings, ok, warning
from config import access, paths

RECENT_SECONDS: Final = 7 * 86_400.0
"""So long turns that were lost are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFacts:
    """`trouble` is why it cannot be read, `lost` what proxies could not write of late."""

    file: Path
    there: bool = True
    trouble: str = ""
    lost: LostTurns = LostTurns()  # noqa: RUF009 - frozen


def gather(environ: Mapping[str, str], now: float) -> LedgerFacts:
    """What is in our folder. A ledger that is not there yet is not made."""
    file = paths.usage_file(environ)
    trouble = damage_of_usage(file)
    lost = LostTurns()
    if not trouble:
        try:
            lost = read_usage(file, lambda reader: reader.lost(now - RECENT_SECONDS))
        except (sqlite3.Error, OSError) as e:
            trouble = str(e)
    return LedgerFacts(file=file, there=access.seen(file), trouble=trouble, lost=lost)


def ledger(facts: LedgerFacts) -> Findings:
    if facts.trouble:
        yield warning(
            "storage.ledger",
            f"The ledger {facts.file} cannot be used ({facts.trouble}). Turns go on, and are not counted.",
            "Move that file away; a proxy that runs makes a new one.",
        )
    elif facts.lost.turns:
        turns = "1 turn of the last week" if facts.lost.turns == 1 else f"{facts.lost.turns} turns of the last week"
        yield warning(
            "storage.ledger",
            f"{turns} could not be written to the ledger ({facts.lost.reason or 'nobody knows why'}).",
            f"See to it that the disk of {facts.file.parent} has room.",
        )
    elif facts.there:
        yield ok("storage.ledger", "The ledger of turns can be read.")
