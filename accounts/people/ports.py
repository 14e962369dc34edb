"""What the counting of people's use needs of a ledger."""

from typing import Protocol

from accounts.ledger.records import TokenCount


class SpentSource(Protocol):
    """Knows what was spent before this proxy has started, and by what other proxies serve. Never raises: nothing where
    it cannot tell."""

    def spent(self, person: str, since: float) -> tuple[TokenCount, int] | None:
        """The tokens and the turns since then, in epoch seconds, of this person; "" stands for everybody. None: that
        is not known yet, and will be soon."""
        ...
