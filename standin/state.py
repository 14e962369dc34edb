"""Everything the two threads share, behind one lock: accounts, faults, records, logins, and what is being held."""

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Unpack

from standin.accounts import Account, AccountDetails, identity
from standin.faults import Fault, Phase
from standin.faults.details import Asked
from standin.model.attempts import Attempt, End
from standin.model.says import Says
from standin.pace import Pace, Tempo
from standin.records import Headers, Incoming, Record, cookies_of
from standin.tokens import Ledger

ANY_ACCOUNT = "*"
LASTING_COOKIES = ("_cfuvid", "__cflb")
BRIEF_COOKIE = "__cf_bm"
"""The edge's cookies: two stay what they are, one is new with each answer."""

type Feed = asyncio.Queue[dict[str, Any] | None]


class Refresh(NamedTuple):
    """One use of the token endpoint with a refresh token; `at` is its index in `StandIn.requests`."""

    account_id: str | None
    at: int
    ok: bool


@dataclass(slots=True)
class ActiveFault:
    """A fault as it was set: for whom, how many more times (None: until cleared), and until when, in seconds since the
    epoch."""

    who: str
    fault: Fault
    left: int | None
    until: float = float("inf")


@dataclass(slots=True)
class Code:
    """An authorization code that was handed out and not yet traded, docs/codex-wire.md section 5."""

    account: Account
    redirect_uri: str
    challenge: str = field(repr=False)


@dataclass(slots=True)
class Logins:
    """The state of browser and device logins. `interval` is the device poll interval in seconds."""

    who: str | None = None
    device: str | None = None
    interval: int = 1
    codes: dict[str, Code] = field(default_factory=dict, repr=False)
    devices: dict[str, str] = field(default_factory=dict, repr=False)


class State:
    """What the stand-in knows. Take `changed` for anything but the methods here; it is a re-entrant lock."""

    def __init__(self, clock: Callable[[], float], pace: Pace | None = None, *, by_hand: bool = False) -> None:
        self.clock = clock
        self.paces = {ANY_ACCOUNT: pace or Pace()}
        self.tempo = Tempo(by_hand=by_hand, on_change=self._tell)
        self.changed = threading.Condition()
        self.ledger = Ledger()
        self.logins = Logins()
        self.accounts: dict[str, Account] = {}
        self.records: list[Record] = []
        self.refreshes: list[Refresh] = []
        self.errors: list[BaseException] = []
        self.seal_reasoning = False
        self.sealed: dict[str, str] = {}
        self.says = Says()
        self.catalogues: dict[str, tuple[str, ...]] = {}
        self.feeding = False
        self._cookies: dict[str, str] = {}
        self._feeds: set[Feed] = set()
        self._faults: list[ActiveFault] = []
        self._turns = 0
        self._tickets = 0
        self._released = 0
        self._gates: set[asyncio.Event] = set()

    # accounts

    def add_account(self, account_id: str, details: AccountDetails) -> Account:
        """A new seat with its first set of tokens."""
        who = identity(account_id, details)
        with self.changed:
            if who.key in self.accounts:
                raise ValueError(f"{who.key} is an account already; give the second seat its own user_id.")
            account = Account(who, self.ledger, self.changed, self.clock)
            self.accounts[who.key] = account
            return account

    def find(self, name: str) -> list[Account]:
        """The seats a name means: an account id, `account_id:user_id`, or `*` for all."""
        with self.changed:
            found = [
                account
                for key, account in self.accounts.items()
                if name in {ANY_ACCOUNT, key, account.identity.account_id}
            ]
        if not found and name != ANY_ACCOUNT:
            raise KeyError(f"no account {name!r}; add it with add_account() first.")
        return found

    def bearer(self, request: Incoming) -> Account | None:
        """Whose access token a request bears, valid or not."""
        with self.changed:
            token = self.ledger.bearer(request.header("authorization"))
            return self.accounts[token.owner.key] if token else None

    # faults

    def set_fault(self, who: str, fault: Fault, times: int | None, seconds: float | None = None) -> None:
        """Counted faults come first, in the order they were set; a lasting one replaces the lasting one before it."""
        self.find(who)
        until = float("inf") if seconds is None else self.clock() + seconds
        with self.changed:
            if times is None:
                self._faults = [
                    old
                    for old in self._faults
                    if old.left is not None or (old.who, old.fault.scope) != (who, fault.scope)
                ]
            self._faults.append(ActiveFault(who, fault, times, until))
            self._faults.sort(key=lambda active: active.left is None)

    def clear(self, who: str | None) -> None:
        """Forget the faults set for this name, or all."""
        with self.changed:
            self._faults = [active for active in self._faults if who not in {None, active.who}]

    def take_fault(self, account: Account | None, path: str, phase: Phase, **asked: Unpack[Asked]) -> Fault | None:
        """The fault that strikes a request now; a counted one is used up by this."""
        names = {ANY_ACCOUNT} | ({account.account_id, account.identity.key} if account else set())
        with self.changed:
            now = self.clock()
            self._faults = [active for active in self._faults if now < active.until]
            for active in self._faults:
                fault = active.fault
                if active.who in names and fault.strikes(path, phase, **asked):
                    if active.left is not None:
                        active.left -= 1
                        self._faults = [other for other in self._faults if other.left != 0]
                    if account is not None and fault.then is not None:
                        # before all others: whoever is struck stays so, and uses up nothing meant for another
                        self._faults.insert(0, ActiveFault(account.identity.key, fault.then, None))
                    return fault
        return None

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """The counted faults that have not been used up."""
        with self.changed:
            return tuple(active.fault for active in self._faults if active.left is not None)

    # pace

    def set_pace(self, who: str, pace: Pace) -> None:
        """How slowly the answers of these accounts come from now on."""
        self.find(who)
        with self.changed:
            if who == ANY_ACCOUNT:
                self.paces.clear()
            self.paces[who] = pace

    def pace_of(self, account: Account) -> Pace:
        """What was said of the seat goes before what was said of its account, and that before what holds for all."""
        with self.changed:
            names = (account.identity.key, account.account_id, ANY_ACCOUNT)
            return next(self.paces[name] for name in names if name in self.paces)

    # records

    def record(self, request: Incoming) -> Record:
        """Write down a request that has just arrived."""
        account = self.bearer(request)
        record = Record(
            request=request,
            body=request.body(),
            account_id=account.account_id if account else None,
            user_id=account.user_id if account else None,
        )
        with self.changed:
            if account is not None:
                sent = cookies_of(request.headers)
                owners = {name: self._cookies.get(f"{name}={value}") for name, value in sent.items()}
                foreign = (name for name, owner in owners.items() if owner not in {None, account.identity.key})
                record.foreign_cookies = tuple(foreign)
            self.records.append(record)
            self.changed.notify_all()
        return record

    def update(self, record: Record, **changes: Any) -> None:
        """Change a record; once it is closed it stays as it is."""
        with self.changed:
            if not record.closed:
                for name, value in changes.items():
                    setattr(record, name, value)
                self.changed.notify_all()

    def begin(self, record: Record, attempt: Attempt) -> Attempt:
        """Write down a request to the model, with a number of its own."""
        with self.changed:
            self.says.attempts += 1
            numbered = replace(attempt, number=self.says.attempts)
            record.attempts.append(numbered)
            self.changed.notify_all()
            return numbered

    def progress(self, record: Record, **changes: Any) -> None:
        """What has become of the newest attempt of a record; one that has ended stays as it is."""
        with self.changed:
            last = record.attempts[-1]
            if last.end is End.RUNNING:
                record.attempts[-1] = replace(last, **changes)
                self.changed.notify_all()

    def wrote(self, item: dict[str, Any]) -> None:
        """An item's last event is on its way."""
        with self.changed:
            self.says.book.write(item)

    def add_message(self, record: Record, message: dict[str, Any]) -> None:
        """Write down a WebSocket message from the client."""
        with self.changed:
            record.messages.append(message)
            self.changed.notify_all()

    def next_turn(self) -> int:
        """A number no other answer of this stand-in has."""
        with self.changed:
            self._turns += 1
            return self._turns

    # cookies, docs/codex-wire.md section 2.4

    def set_cookies(self, account: Account) -> Headers:
        """The edge's cookies for an account, as headers of its next answer."""
        lasting = {name: f"{name}={account.identity.key.replace(':', '.')}" for name in LASTING_COOKIES}
        pairs = [*lasting.values(), f"{BRIEF_COOKIE}={secrets.token_urlsafe(16)}"]
        with self.changed:
            for pair in pairs:
                self._cookies[pair] = account.identity.key
        return tuple(("set-cookie", f"{pair}; path=/; Secure; HttpOnly") for pair in pairs)

    # feeds

    @contextmanager
    def listening(self, feed: Feed) -> Iterator[None]:
        """What is said while this lasts goes to this feed too. For the event loop only."""
        self._feeds.add(feed)
        try:
            yield
        finally:
            self._feeds.discard(feed)

    def say(self, event: dict[str, Any] | None) -> None:
        """Say an event to every feed, or with None end them all. For the event loop only."""
        for feed in self._feeds:
            feed.put_nowait(event)

    # sealed content, docs/codex-wire.md section 9

    def seal(self, account: Account) -> str:
        """A new opaque blob bound to an account."""
        blob = f"gAAAA{secrets.token_urlsafe(48)}"
        with self.changed:
            self.sealed[blob] = account.account_id
        return blob

    # holding

    def ticket(self) -> int:
        """A number for a request or message that has just arrived; `release()` lets everything up to it go on."""
        with self.changed:
            self._tickets += 1
            return self._tickets

    async def hold(self, ticket: int) -> None:
        """Wait until `release()` was called after the ticket was drawn. For the event loop only."""
        gate = asyncio.Event()
        self._gates.add(gate)
        try:
            while ticket > self._released:
                await gate.wait()
                gate.clear()
        finally:
            self._gates.discard(gate)

    def release(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let everything that is held now go on."""
        with self.changed:
            self._released = self._tickets
        loop.call_soon_threadsafe(self._open_gates)

    def _tell(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def _open_gates(self) -> None:
        for gate in self._gates:
            gate.set()
