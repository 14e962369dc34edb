"""The tokens of all accounts, in memory."""

from collections.abc import Mapping
from dataclasses import replace

from accounts.choice.clock_sense import sensible_login
from accounts.model import Credentials


class TokenCache:
    """By the keys of accounts. One that upstream has refused counts as at its end, until there is a newer one."""

    def __init__(self) -> None:
        self._credentials: dict[str, Credentials] = {}
        self._distrusted: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"TokenCache({len(self._credentials)} accounts)"

    def load(self, stored: Mapping[str, Credentials]) -> None:
        self._credentials = {
            key: replace(tokens, expires_at=0.0) if self._distrusted.get(key) == tokens.access else tokens
            for key, tokens in stored.items()
        }

    def sensible(self, now: float) -> None:
        """The clock was set: no token was renewed at a time to come."""
        self._credentials = {key: sensible_login(each, now) for key, each in self._credentials.items()}

    @property
    def known(self) -> Mapping[str, Credentials]:
        return self._credentials

    def renewed(self, key: str, credentials: Credentials) -> None:
        """Newer tokens, already committed to the store."""
        self._credentials[key] = credentials
        self._distrusted.pop(key, None)

    def distrust(self, key: str) -> None:
        """Whoever takes the account next has its token renewed first."""
        credentials = self._credentials.get(key)
        if credentials is not None:
            self._credentials[key] = replace(credentials, expires_at=0.0)
            self._distrusted[key] = credentials.access
