"""`use`: one account for everybody, until the pool may choose again; and what keeps an account from serving."""

from typing import Final

from accounts.choice.selection import Candidate, Situation
from accounts.errors import LoginNeeded
from accounts.model import Account, Event
from accounts.owner.names import find_account, typed
from accounts.states import AccountState, State, in_words, tell
from accounts.store.store import Store

END: Final = "codex-rotate use --auto"


def choose_account(store: Store, wanted: str, now: float, *, by: str = "") -> tuple[Account, bool]:
    """Pin an account for everybody, whether it can serve now or not. Also says whether it was another one before.
    `by`: who says so, for the history; "": a command. Raises what find_account raises."""
    account = find_account(store.accounts(), wanted)
    changed = store.chosen_account() != account.key
    if changed:
        store.choose_account(account.key).result()
        store.record(Event(at=now, kind="chosen", key=account.key, detail=by))  # done, with or without history
    return account, changed


def choose_nobody(store: Store, now: float, *, by: str = "") -> tuple[Account | None, bool]:
    """Take the choice back. The account that was chosen, if it is still there, and whether one was."""
    key = store.chosen_account()
    account = next((each for each in store.accounts() if each.key == key), None)
    if key:
        store.choose_account("").result()
        store.record(Event(at=now, kind="choice_ended", key=key, detail=by))
    return account, bool(key)


def settings_pin() -> str:
    """The account that the settings pin, as it is named there; "" for none. Raises ConfigError."""
    from config import settings  # late: msgspec

    chosen = settings.load()
    return chosen.pinned_account if chosen.strategy == "pinned" else ""


def hindrance(candidate: Candidate, now: float) -> str:
    """Why an account cannot serve now, or will hardly, and what to do about it; "" when it can."""
    told = tell(candidate, Situation(now=now))
    return "" if told.serves else _hindered(candidate.account.label, told, now)


def _hindered(label: str, told: AccountState, now: float) -> str:
    match told.state:
        case State.PAUSED:
            return f"{label} is paused and serves nothing until `codex-rotate resume {typed(label)}`."
        case State.NEEDS_LOGIN:
            return str(LoginNeeded(label, told.reason))
        case State.CLOSED:
            return f"The provider has closed {label}, and no login opens it again. Choose another account."
        case State.NO_LOGIN:
            return f"The pool has no login of {label}. Run `codex-rotate login` with that account."
        case State.RESERVED:
            return f"{label} is {in_words(told, now)}. `codex-rotate reserve {typed(label)} 0` would give that away."
        case _:
            return f"{label} will hardly serve now: {in_words(told, now)}. `{END}` lets others serve meanwhile."
