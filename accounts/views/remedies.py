"""What to do about accounts that do not serve: sentences with the command that helps."""

from collections.abc import Sequence

from accounts.errors import LoginNeeded
from accounts.model import Account
from accounts.owner.names import listed, typed
from accounts.states import AccountState, State
from accounts.tokens.endings import is_providers
from config.times.local_time import clock_time


def remedies(accounts: Sequence[tuple[Account, AccountState]], now: float) -> list[str]:
    """What to do about accounts that will not serve by themselves, and about a pool in which nobody serves."""
    by_state = {state: [account.label for account, told in accounts if told.state is state] for state in State}
    reasons = {account.label: told.reason for account, told in accounts}
    dead, closed, paused = by_state[State.NEEDS_LOGIN], by_state[State.CLOSED], by_state[State.PAUSED]
    gone = [*by_state[State.NO_LOGIN], *by_state[State.LOGIN_ENDED]]
    told = []
    if len(dead) == 1:
        told.append(str(LoginNeeded(dead[0], reasons[dead[0]])))
    elif dead:
        by_provider = all(is_providers(reasons[label]) for label in dead)
        told.append(
            f"{listed(dead)} {'were signed out by the provider' if by_provider else 'need a login'}. "
            "Run `codex-rotate login` with each: they are renewed in their places."
        )
    if gone:
        told.append(f"{listed(gone)}: no login that can be used is stored. Run `codex-rotate login` with each.")
    if soon := ending(accounts, now):
        told.append(f"{'; '.join(soon)}. Run `codex-rotate login` before that, and nobody notices.")
    if closed:
        name = typed(closed[0]) if len(closed) == 1 else "ACCOUNT"
        told.append(
            f"{listed(closed)}: closed by the provider, and no login opens that again. "
            f"Run `codex-rotate remove {name}` for what will not come back."
        )
    if accounts and not any(each.serves for _, each in accounts):
        told.append(_nobody(accounts, paused, now))
    return told


def ending(accounts: Sequence[tuple[Account, AccountState]], now: float) -> list[str]:
    """The accounts whose login nothing renews any more, and until when each serves."""
    return [
        f"{account.label} serves until {clock_time(told.ends, now)}, then needs a login"
        for account, told in accounts
        if told.ends is not None
    ]


def _nobody(accounts: Sequence[tuple[Account, AccountState]], paused: Sequence[str], now: float) -> str:
    back = min((each.back for _, each in accounts if each.back is not None), default=None)
    waiting = "Nobody can serve now" if back is None else f"Nobody can serve before {clock_time(back, now)}"
    if any(each.state is State.PASSED_OVER for _, each in accounts):
        return f"{waiting}. `codex-rotate use --auto`, or the setting `strategy`, lets others serve."
    way = f"`codex-rotate resume {typed(paused[0])}`" if paused else "`codex-rotate login`"
    return f"{waiting}. {way} brings in {'a paused' if paused else 'another'} account."
