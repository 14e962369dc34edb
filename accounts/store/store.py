"""The pool on disk: one SQLite file that the proxy, a second proxy and the CLI share.

Reading is synchronous on the caller's thread. Writing is behind the caller: one thread owns the write connection, each
write is one transaction that touches only its own rows, and its Future carries the answer or the exception. Every
transaction leaves a row in `change`, by which other openers of the file notice it. The work is done by subject, in the
modules beside this one.
"""

from collections.abc import Collection
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from accounts.choice.quota import Window
from accounts.model import Account, Affinity, Cooldown, Credentials, Event, LooksTaken, Standing
from accounts.store import schema
from accounts.store.choices import StoredChoices
from accounts.store.event_log import EVENTS_KEPT, EventLog
from accounts.store.learned import AFFINITIES_KEPT, LearnedFacts
from accounts.store.pool_file import CHANGES_KEPT, PoolFile
from accounts.store.seats import SPENT_KEPT, StoredSeats
from accounts.store.stored_tokens import StoredTokens

if TYPE_CHECKING:
    from accounts.store.people import StoredPeople

__all__ = ["AFFINITIES_KEPT", "CHANGES_KEPT", "EVENTS_KEPT", "SPENT_KEPT", "Store"]


class Store:
    """An open pool.db. `repairs` says, in sentences, which files had to be closed to other users.

    Opening creates what is missing and raises StoreCorrupt, StoreTooNew or StoreUnusable.
    """

    def __init__(self, path: Path, *, migrations: tuple[str, ...] = schema.MIGRATIONS) -> None:
        self.path = path
        self.repairs = schema.prepare(path, migrations)
        self.file = PoolFile(path)
        """Whether it can be used at the moment, and looking after it."""
        tokens = StoredTokens()
        self._seats = StoredSeats(self.file, tokens)
        self._learned = LearnedFacts(self.file)
        self._choices = StoredChoices(self.file)
        self._log = EventLog(self.file, tokens)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is queued and close the file. Closing twice is harmless."""
        self.file.close()

    @cached_property
    def people(self) -> "StoredPeople":
        """The people who use the pool, and their keys."""
        from accounts.store.people import StoredPeople  # late: most commands need nobody

        return StoredPeople(self.file)

    # --- reading -------------------------------------------------------------------------------------------------

    def accounts(self) -> tuple[Account, ...]:
        """All accounts, oldest first."""
        return self._seats.accounts()

    def credentials(self, key: str) -> Credentials | None:
        """Of one account; None when it is gone."""
        return self._seats.credentials(key)

    def all_credentials(self) -> dict[str, Credentials]:
        """The credentials of every account, by account key."""
        return self._seats.all_credentials()

    def cooldowns(self) -> dict[str, Cooldown]:
        """The stored rest of each account, by account key; those that are over are still in it."""
        return self._learned.cooldowns()

    def affinities(self, limit: int) -> tuple[Affinity, ...]:
        """Which account each thread belongs to, the most recently used first."""
        return self._learned.affinities(limit)

    def windows(self) -> dict[str, tuple[Window, ...]]:
        """What is known of the quota windows of each account, by account key."""
        return self._learned.windows()

    def refused_models(self) -> dict[tuple[str, str], float]:
        """Until when an account counts as refused a model, by account key and model."""
        return self._learned.refused_models()

    def events(self, limit: int) -> tuple[Event, ...]:
        """What happened, the newest first."""
        return self._log.events(limit)

    def events_after(self, number: int) -> tuple[tuple[Event, ...], int]:
        """What happened after the event of this number (0: all), the oldest first, and the number of the last one."""
        return self._log.events_after(number)

    def spent(self, refresh_tokens: Collection[str], *, only_replaced: bool = False) -> dict[str, str]:
        """Which of these refresh tokens are never sent again, because newer ones replaced them or, unless
        `only_replaced`, for another reason; and the key of the account they were for."""
        return self._seats.spent(refresh_tokens, only_replaced=only_replaced)

    def looks(self) -> dict[str, LooksTaken]:
        """How often each account out of service was looked at, by account key."""
        return self._learned.looks()

    def client_keys(self) -> dict[str, str]:
        """The name of each client's key, by the key's digest; oldest first."""
        return self._choices.client_keys()

    def removed_keys(self) -> dict[str, str]:
        """The same of keys that were taken back."""
        return self._choices.removed_keys()

    def chosen_account(self) -> str:
        """The key of the account that was chosen for everybody, "" for none."""
        return self._choices.chosen_account()

    def counters(self) -> dict[str, int]:
        """Everything that was ever counted."""
        return self._log.counters()

    def changed_by_others(self, now: float = 0.0, *, within: float = 0.0) -> bool:
        """Whether another opener of the file has written since the last look, or since opening. Cheap when not.

        When the last look was less than `within` seconds before `now`, there is none, and the answer is no.
        """
        return self.file.changed_by_others(now, within)

    # --- writing -------------------------------------------------------------------------------------------------

    def put_account(self, account: Account, credentials: Credentials, *, only_new: bool = False) -> Future[bool]:
        """Add a seat, or renew the one with the same key in place unless `only_new`; True when it is new.

        A new seat whose label is taken gets the label with `-2`, `-3` and so on. Renewing replaces the credentials and
        what the login tells (e-mail, plan, fedramp, standing, and origin and override where given), and keeps what the
        owner chose: label, tags, note, priority, reserve, enabled, added_at.
        """
        return self._seats.put(account, credentials, only_new=only_new)

    def update_account(self, key: str, **changes: Any) -> Future[None]:
        """Change fields of an account; TypeError for a name that is none or that identifies the seat.

        The Future raises UnknownAccount when the account is gone and LabelTaken when another one has that label.
        """
        return self._seats.update(key, changes)

    def set_standing(self, key: str, standing: Standing, reason: str = "") -> Future[None]:
        """What the provider thinks of the account now, and the word that led to it. The Future raises UnknownAccount
        when it is gone."""
        return self.update_account(key, standing=standing, standing_reason=reason)

    def remove_account(self, key: str) -> Future[bool]:
        """Forget an account and everything stored about it but its events; False when it was not there."""
        return self._seats.remove(key)

    def save_credentials(self, key: str, credentials: Credentials, replaces: str) -> Future[bool]:
        """Store refreshed tokens if the refresh token they were made from is still the stored one.

        False when somebody else was first or the account is gone; the stored tokens are then the ones to use.
        """
        return self._seats.save_credentials(key, credentials, replaces)

    def end_renewals(self, key: str, refresh: str, reason: str, now: float) -> Future[bool]:
        """This refresh token is never sent again, and why. False when that was known, or the account has another."""
        return self._seats.end_renewals(key, refresh, reason, now)

    def looked(self, key: str, before: LooksTaken | None, now: float) -> Future[bool]:
        """An account out of service is looked at now; with no look before it, it is from now on waited for. False when
        somebody else was first."""
        return self._learned.looked(key, before, now)

    def share(self, key: str) -> Future[None]:
        """From now on somebody else holds this account's login too."""
        return self._seats.share(key)

    def choose_account(self, key: str) -> Future[None]:
        """From now on only this account serves, for every client of every proxy; "" lets the pool choose again."""
        return self._choices.choose_account(key)

    def put_client_key(self, name: str, secret: str, now: float) -> Future[None]:
        """Let whoever has this key use the proxy. One of the same name is no longer good for anything."""
        return self._choices.put_client_key(name, secret, now)

    def remove_client_key(self, name: str) -> Future[bool]:
        """Forget a key; False when there was none of that name."""
        return self._choices.remove_client_key(name)

    def set_cooldown(self, key: str, cooldown: Cooldown) -> Future[None]:
        """Let an account rest; a stored rest that is firmer, or as firm and longer, stays. Nothing when it is gone."""
        return self._learned.set_cooldown(key, cooldown)

    def clear_cooldown(self, key: str) -> Future[None]:
        """End every rest of an account."""
        return self._learned.clear_cooldown(key)

    def save_affinity(self, affinity: Affinity) -> Future[None]:
        """Remember where a thread belongs, unless a later use is stored. Nothing when the account is gone."""
        return self._learned.save_affinity(affinity)

    def set_windows(self, key: str, windows: tuple[Window, ...]) -> Future[None]:
        """What is known of an account's quota windows now; what was seen later by somebody else stays."""
        return self._learned.set_windows(key, windows)

    def refuse_model(self, key: str, model: str, until: float, now: float) -> Future[None]:
        """Upstream does not let this account use a model; that is believed until then."""
        return self._learned.refuse_model(key, model, until, now)

    def record(self, *events: Event) -> Future[None]:
        """Add events to the bounded history. A stored token that slipped into their text is masked.

        What is recorded while the writer is busy becomes one transaction.
        """
        return self._log.record(*events)

    def count(self, name: str, by: int = 1) -> Future[None]:
        """Add to a counter that outlives this process."""
        return self._log.count(name, by)

    def flush(self) -> None:
        """Wait until everything queued so far is on disk."""
        self.file.flush()
