"""What the counting of people's use needs of a ledger."""

from typing import Protocol

from accounts.people.budgets import Sums


class SpentSource(Protocol):
    """Knows what was spent before this proxy has started, and by what other proxies serve. Never raises: nothing where
    it cannot tell. Turns are those that count for a budget (spending.counted)."""

    def spent(self, person: str, since: float) -> Sums:
        """Since then, in epoch seconds, by this person; "" stands for everybody."""
        ...
