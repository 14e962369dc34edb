"""Where an account's requests go: chatgpt.com, or the regional host its workspace is bound to. Pure.

docs/codex-wire.md section 1.1. A managed token is never sent to any other host.
"""

from typing import Final

from accounts.model import Account
from config.provider import PROVIDER

HOME_HOST: Final = PROVIDER.host
PROVIDER_HOST: Final = PROVIDER.hosts
"""The provider's own hosts: the usual one, and the regional ones that workspace routing may name."""


def host_of(account: Account) -> str:
    """The host an account's requests go to. Raises ValueError for one that is not the provider's."""
    origin = account.backend_origin
    if origin is None:
        return HOME_HOST
    host = origin.removeprefix("https://")
    if host == origin or PROVIDER_HOST.fullmatch(host) is None:
        raise ValueError(f"the origin of {account.label} is not one of the provider's hosts")
    return host
