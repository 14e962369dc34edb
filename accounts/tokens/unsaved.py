"""Renewed tokens on their way to the disk. What it refuses stays here: the only copies of logins whose old tokens are
spent."""

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from accounts.errors import StoreError, StoreLost
from accounts.model import Credentials
from accounts.tokens.oauth import Renewal
from accounts.tokens.sent_marks import SentMarks


class Refreshed(Protocol):
    def result(self, timeout: float | None = None) -> bool: ...


class Vault(Protocol):
    """The part of the store a refresh needs."""

    def credentials(self, key: str) -> Credentials | None: ...
    def spent(self, refresh_tokens: Collection[str]) -> Mapping[str, str]: ...
    def save_credentials(self, key: str, credentials: Credentials, replaces: str) -> Refreshed: ...
    def end_renewals(self, key: str, refresh: str, reason: str, now: float) -> Refreshed: ...


class RememberingVault:
    """A vault whose file may be taken away meanwhile: what it knew is `remembered` then, by account key. What is to be
    stored is refused."""

    def __init__(self, vault: Vault, remembered: Callable[[str], Credentials | None]) -> None:
        self._vault = vault
        self._remembered = remembered

    def credentials(self, key: str) -> Credentials | None:
        try:
            return self._vault.credentials(key)
        except StoreLost:
            return self._remembered(key)

    def spent(self, refresh_tokens: Collection[str]) -> Mapping[str, str]:
        try:
            return self._vault.spent(refresh_tokens)
        except StoreLost:
            return {}

    def save_credentials(self, key: str, credentials: Credentials, replaces: str) -> Refreshed:
        return self._vault.save_credentials(key, credentials, replaces)

    def end_renewals(self, key: str, refresh: str, reason: str, now: float) -> Refreshed:
        return self._vault.end_renewals(key, refresh, reason, now)


class UnsavedTokens:
    """May be asked from any thread. `tell` is called with the key of each account whose shared tokens are stored."""

    def __init__(self, vault: Vault, marks: SentMarks, tell: Callable[[str], None]) -> None:
        self._vault = vault
        self._marks = marks
        self._tell = tell
        self._one_at_a_time = threading.RLock()
        self._held: dict[str, tuple[Credentials, str]] = {}
        """What is not on the disk yet, and the refresh token each replaces there."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The accounts whose newest tokens are here only."""
        return tuple(self._held)

    def current(self, key: str) -> Credentials | None:
        """What is true of an account now: what only we have, else what is stored."""
        with self._one_at_a_time:
            self.save(key)
            return self._held[key][0] if key in self._held else self._vault.credentials(key)

    def keep(self, key: str, credentials: Credentials, replaces: str) -> Renewal | None:
        """Commit these. None when that is done; else what is true instead."""
        with self._one_at_a_time:
            replaces = self._held[key][1] if key in self._held else replaces
            self._held[key] = (credentials, replaces)
            return self.save(key)

    def save(self, key: str) -> Renewal | None:
        """Commit what is held of an account, if anything is. As `keep`."""
        with self._one_at_a_time:
            if key not in self._held:
                return None
            credentials, replaces = self._held[key]
            try:
                saved = self._vault.save_credentials(key, credentials, replaces=replaces).result()
            except StoreError as e:
                return Renewal(credentials=credentials, detail=f"kept in memory, the disk refused it: {e}")
            del self._held[key]
            if replaces != credentials.refresh:
                self._marks.spend(key, replaces)
            self._marks.clear(key)
        if saved:
            if not credentials.own:
                self._tell(key)
            return None
        current = self._vault.credentials(key)
        return Renewal(credentials=current, detail="adopted" if current else "the account was removed")

    def save_all(self) -> None:
        """Offer the disk everything that it has refused."""
        for key in self.keys:
            self.save(key)
