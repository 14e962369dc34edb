"""People who use the pool: what each of them may use, and how much of it. Pure values."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from accounts.people.budgets import Budgets


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with keys of their own (accounts/people/keys.py). An empty subset is all there is.

    `accounts` are keys of accounts (Account.key) and `#tag` for all with that tag, `models` globs. A higher `priority`
    comes first where people wait. `added_at` is in seconds since the epoch.
    """

    name: str
    accounts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    priority: int = 0
    budgets: Budgets = field(default_factory=Budgets)
    paused: bool = False
    added_at: float = 0.0

    def may_use(self, model: str) -> bool:
        """Whether they may use this model. Who may not use all of them may not use one that nobody has named."""
        return not self.models or any(fnmatchcase(model.casefold(), each.casefold()) for each in self.models)
