"""What an account is doing now, in one word for programs and a few for people: the only place that says it. Pure.

The truth is that of selection (accounts/choice/selection.py): what keeps an account from being chosen now, else what
puts it behind the others. Every command, the palette and the report tell an account by these words.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from accounts.choice import quota
from accounts.choice.selection import Candidate, Exclusion, Situation, back_at, barred, tired
from accounts.model import Credentials
from accounts.tokens.endings import in_words as ending_in_words
from accounts.tokens.lifetime import is_over, serves_until
from config.times.local_time import clock_time


class State(StrEnum):
    READY = "ready"
    NEARLY_SPENT = "nearly_spent"
    """So much of a window is used (`defer_percent`) that it waits behind the others."""
    SPENT = "spent"
    """All of a window is used: it is asked when nobody else is left, and will hardly serve."""
    RESTING = "resting"
    RESERVED = "reserved"
    """What is left of it is kept for its owner."""
    WITHOUT_MODEL = "without_model"
    """It was refused the model that is asked for."""
    PASSED_OVER = "passed_over"
    """Another account is the only one that may serve."""
    NOT_THEIRS = "not_theirs"
    """It is not among the accounts that the person who asks may use."""
    CANNOT_READ = "cannot_read"
    """Another account made the summary of this conversation."""
    TRIED = "tried"
    LOGIN_ENDED = "login_ended"
    """Its token has expired and nothing can renew it."""
    NO_LOGIN = "no_login"
    NEEDS_LOGIN = "needs_login"
    CLOSED = "closed"
    PAUSED = "paused"


OF_A_REQUEST: Final = frozenset({State.WITHOUT_MODEL, State.NOT_THEIRS, State.CANNOT_READ, State.TRIED})
"""States that depend on what is asked for; of an account by itself they are never told."""
RENEWED_FIRST: Final = "token_expired"
"""Why an account that is ready takes a moment longer: its token is renewed before it is used."""
LOGIN_ENDS: Final = "login_ends"
"""Why an account that is ready is so until a time only: nothing renews its token."""

_WORDS: Final[Mapping[State, str]] = {
    State.NEARLY_SPENT: "nearly spent",
    State.RESERVED: "kept for its owner",
    State.WITHOUT_MODEL: "model not for its plan",
    State.PASSED_OVER: "another account is pinned",
    State.NOT_THEIRS: "not for this person",
    State.CANNOT_READ: "another account sealed this conversation's summary",
    State.TRIED: "already tried for this request",
    State.LOGIN_ENDED: "login has ended",
    State.NO_LOGIN: "no login stored",
    State.NEEDS_LOGIN: "needs login",
    State.CLOSED: "closed by provider",
}
"""Where the word for programs is not the one for people."""
_BY_BAR: Final[Mapping[Exclusion, State]] = {
    Exclusion.PAUSED: State.PAUSED,
    Exclusion.NEEDS_LOGIN: State.NEEDS_LOGIN,
    Exclusion.DEACTIVATED: State.CLOSED,
    Exclusion.NO_TOKENS: State.NO_LOGIN,
    Exclusion.PIN: State.PASSED_OVER,
    Exclusion.PERSON: State.NOT_THEIRS,
    Exclusion.COMPACTION: State.CANNOT_READ,
    Exclusion.RESTING: State.RESTING,
    Exclusion.RESERVED: State.RESERVED,
    Exclusion.MODEL: State.WITHOUT_MODEL,
    Exclusion.TRIED: State.TRIED,
}
"""Every reason that selection has to pass an account over."""
_FOR_ITS_OWNER: Final = frozenset({State.NEEDS_LOGIN, State.CLOSED, State.PAUSED, State.NO_LOGIN, State.LOGIN_ENDED})
_OF_LOGINS: Final = frozenset({State.NEEDS_LOGIN, State.LOGIN_ENDED, State.CLOSED})
_ASKED_IN_VAIN: Final = frozenset({State.SPENT, State.LOGIN_ENDED})


class AccountState(NamedTuple):
    """`until` (seconds since the epoch) is when it ends by itself, None for what does not or is not known. `reason` is
    the outcome that made an account rest, the windows that are used up, the model it may not use, the word that ended
    its login or closed it, RENEWED_FIRST or LOGIN_ENDS. `barred`: it may not serve; else it can, though perhaps after
    the others. `back` is when nothing at all keeps it from serving well any more, None for never by itself, and for
    now. `ends` is when its login ends, where nothing renews it."""

    state: State
    until: float | None = None
    reason: str = ""
    barred: bool = False
    back: float | None = None
    ends: float | None = None

    @property
    def serves(self) -> bool:
        """Whether a request that comes to it has a chance."""
        return not self.barred and self.state not in _ASKED_IN_VAIN


def tell(candidate: Candidate, about: Situation, login: Credentials | None = None) -> AccountState:
    """The state of an account for a request; `login` is its stored one, where that matters and is known."""
    told = _tell(candidate, about, login)
    ends = serves_until(login, about.now) if login is not None else None
    if ends is None or told.state in _FOR_ITS_OWNER:
        return told
    if told == AccountState(State.READY):
        return AccountState(State.READY, ends, LOGIN_ENDS, ends=ends)
    return told._replace(ends=ends)


def _tell(candidate: Candidate, about: Situation, login: Credentials | None) -> AccountState:
    bar = barred(candidate, about)
    if bar is not None:
        state = _BY_BAR[bar.bar]
        reason = {
            State.RESTING: candidate.cooldown.reason if candidate.cooldown else "",
            State.WITHOUT_MODEL: about.ask.model,
            State.NOT_THEIRS: about.ask.person,
            State.NEEDS_LOGIN: candidate.account.standing_reason,
            State.CLOSED: candidate.account.standing_reason,
        }
        return AccountState(state, bar.until, reason.get(state, ""), barred=True, back=back_at(candidate, about))
    over = login is not None and is_over(login.expires_at, about.now)
    if login is not None and over and not login.renewable:
        return AccountState(State.LOGIN_ENDED, reason=login.ended)
    if candidate.cooldown is not None and tired(candidate, about):
        return AccountState(State.RESTING, candidate.cooldown.until, candidate.cooldown.reason)
    for state, percent in ((State.SPENT, 100.0), (State.NEARLY_SPENT, about.policy.defer_percent)):
        until = quota.deferred_until(candidate.windows, limit_percent=percent, now=about.now)
        if until is not None:
            back = until if state is State.SPENT else None
            return AccountState(state, until, " and ".join(_used_to(candidate, percent, about.now)), back=back)
    return AccountState(State.READY, reason=RENEWED_FIRST if over else "")


def _used_to(candidate: Candidate, percent: float, now: float) -> list[str]:
    """The windows of the account's own limit that are used to this much, by name."""
    return [
        quota.window_name(each.minutes)
        for each in sorted(candidate.windows, key=lambda each: each.minutes)
        if quota.deferred_until((each,), limit_percent=percent, now=now) is not None
    ]


def tell_all(
    candidates: Mapping[str, Candidate], about: Situation, logins: Mapping[str, Credentials] | None = None
) -> dict[str, AccountState]:
    """The state of each account, by key."""
    known = logins or {}
    return {key: tell(candidate, about, known.get(key)) for key, candidate in candidates.items()}


# --- words -----------------------------------------------------------------------------------------------------------


def named(state: State) -> str:
    """The state alone, for a sentence or where there is little room."""
    return _WORDS.get(state, str(state))


def counted(counts: Mapping[State, int]) -> str:
    """How many accounts are in each state, those that serve first: `2 ready, 1 resting`; "" for none."""
    told = {State.PASSED_OVER: "passed over"}
    return ", ".join(f"{counts[each]} {told.get(each, named(each))}" for each in State if counts.get(each))


def in_words(told: AccountState, now: float) -> str:
    """The state with its end and its reason: `resting until 14:05 (usage limit)`."""
    if told.state is State.WITHOUT_MODEL and told.reason:
        return f"{told.reason} is not for its plan"
    if told.state is State.NOT_THEIRS and told.reason:
        return f"not for {told.reason}"
    if told.reason == RENEWED_FIRST:
        return f"{named(told.state)} (its token is renewed first)"
    if told.reason == LOGIN_ENDS and told.until is not None:
        return f"serves until {clock_time(told.until, now)}, then needs a login"
    if told.state in _OF_LOGINS:
        return f"{named(told.state)} ({ending_in_words(told.reason)})" if told.reason else named(told.state)
    ends = f"; needs a login from {clock_time(told.ends, now)} on" if told.ends is not None else ""
    until = f" until {clock_time(told.until, now)}" if told.until is not None else ""
    reason = f" ({told.reason.replace('_', ' ')})" if told.reason else ""
    return f"{named(told.state)}{until}{reason}{ends}"
