"""What the screen knows at a moment: values of the read models, and what keeps it from knowing more."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from accounts.model import Event
from accounts.views.account_list import AccountRow
from accounts.views.live_turns import LiveTurn
from accounts.views.usage import UsageView


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPool:
    """What the pool's file says. `homes` counts the threads that live on an account, by its key; `events` are newest
    first; `hints` say what to do about accounts that do not serve."""

    rows: tuple[AccountRow, ...] = ()
    homes: Mapping[str, int] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """By key."""
        return {each.account.key: each.account.label for each in self.rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFacts:
    """What the proxies that run say: where they listen, and the turns under way in them."""

    urls: tuple[str, ...] = ()
    turns: tuple[LiveTurn, ...] = ()

    @property
    def in_flight(self) -> Counter[str]:
        """How many turns each account has now, by its label."""
        return Counter(each.account for each in self.turns if each.account)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFacts:
    """`usage` is None as long as nobody has asked for it. `trouble` is why the pool cannot be read now, `ledger` why
    the ledger cannot; "" when they can."""

    pool: ShownPool = ShownPool()
    proxies: ProxyFacts = ProxyFacts()
    usage: UsageView | None = None
    trouble: str = ""
    ledger: str = ""


NOTHING_YET: Final = ShownFacts()
