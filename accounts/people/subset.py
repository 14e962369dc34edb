"""Which accounts a person may use, as selection asks it. Pure; it needs nothing else of people."""

from collections.abc import Collection
from typing import Final

from accounts.model import Account

TAG: Final = "#"
"""Begins the name of a tag in a person's subset of accounts; the other names there are keys of accounts."""


def in_subset(account: Account, subset: Collection[str]) -> bool:
    """Whether an account is among those that a person may use."""
    return not subset or account.key in subset or any(f"{TAG}{tag.casefold()}" in subset for tag in account.tags)
