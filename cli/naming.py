"""Which account a person means."""

from collections.abc import Callable, Sequence

from accounts.errors import AmbiguousAccount, UnknownAccount
from accounts.model import Account


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
            raise AmbiguousAccount(wanted, [f"{each.label} ({number})" for number, each in found])
    raise UnknownAccount(wanted)


_WAYS: tuple[Callable[[str, int, Account], bool], ...] = (
    lambda name, number, each: each.label.casefold() == name,
    lambda name, number, each: str(number) == name,
    lambda name, number, each: each.key.casefold() == name,
    lambda name, number, each: each.email.casefold() == name,
    lambda name, number, each: each.account_id.casefold() == name,
    lambda name, number, each: each.label.casefold().startswith(name),
    lambda name, number, each: any(text.casefold().startswith(name) for text in (each.email, each.key)),
)
