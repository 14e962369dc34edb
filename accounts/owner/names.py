"""Which account a person means, and how accounts are named to a person."""

import shlex
from collections.abc import Callable, Sequence
from typing import Final

from accounts.errors import AmbiguousAccount, NoAccounts, UnknownAccount, UsageError
from accounts.model import Account

MOST_NAMED: Final = 8
LONGEST_LABEL: Final = 60


def find_account(accounts: Sequence[Account], wanted: str) -> Account:
    """The account called `wanted`. The first of these that fits anything decides: label, list number, key, e-mail,
    account id, beginning of a label, beginning of any of the others. Case does not matter.

    Raises UnknownAccount, or AmbiguousAccount with the labels and numbers that fit.
    """
    name = wanted.strip().casefold()
    for fits in _WAYS if name else ():
        found = [(number, each) for number, each in enumerate(accounts, 1) if fits(name, number, each)]
        if len(found) == 1:
            return found[0][1]
        if found:
            raise AmbiguousAccount(wanted, shortened([f"{each.label} ({number})" for number, each in found]))
    raise UnknownAccount(wanted)


def find_accounts(accounts: Sequence[Account], wanted: Sequence[str]) -> list[Account]:
    """Each account that is called by one of these names, once, in the order of the names. Raises as find_account."""
    return list({each.key: each for each in (find_account(accounts, name) for name in wanted)}.values())


def listed(labels: Sequence[str]) -> str:
    """Several accounts as a sentence names them."""
    *others, last = shortened(labels)
    return f"{', '.join(others)} and {last}" if others else last


def shortened(names: Sequence[str]) -> list[str]:
    """The first of many, and how many more there are."""
    more = len(names) - MOST_NAMED
    return [*names[:MOST_NAMED], f"{more} more"] if more > 1 else list(names)


def typed(label: str) -> str:
    """A label as it is typed in a command that a message suggests."""
    return f"-- {shlex.quote(label)}" if label.startswith("-") else shlex.quote(label)


_WAYS: tuple[Callable[[str, int, Account], bool], ...] = (
    lambda name, number, each: each.label.casefold() == name,
    lambda name, number, each: str(number) == name,
    lambda name, number, each: each.key.casefold() == name,
    lambda name, number, each: each.email.casefold() == name,
    lambda name, number, each: each.account_id.casefold() == name,
    lambda name, number, each: each.label.casefold().startswith(name),
    lambda name, number, each: any(text.casefold().startswith(name) for text in (each.email, each.key)),
)


def checked_label(label: str | None) -> str | None:
    """The label, if it can be shown, and typed as the name of an account."""
    if label is None:
        return None
    if not label.strip() or label != label.strip() or not label.isprintable():
        raise UsageError("A label needs at least one visible character and no space around it. Choose another one.")
    if label.startswith("-") or label.isdecimal() or len(label) > LONGEST_LABEL:
        raise UsageError(
            "A label may not begin with a dash (that is an option), nor be a number (that is a place in the list), nor "
            f"be longer than {LONGEST_LABEL} characters. Choose another one."
        )
    return label


def named(account: Account) -> str:
    """An account as a sentence names it."""
    return f"{account.label} ({account.email})" if account.email else account.label


def chosen_of(accounts: Sequence[Account], names: Sequence[str]) -> list[Account]:
    """The accounts that these names mean, each once; all of them without a name. Raises NoAccounts for an empty pool,
    and what find_account raises."""
    if not accounts:
        raise NoAccounts
    return find_accounts(accounts, names) if names else list(accounts)
