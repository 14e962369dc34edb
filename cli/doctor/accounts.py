"""`doctor`: the accounts of the pool, their tokens, and logins that the official client has too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from accounts.codex_files import codex_home
from accounts.codex_files.client_files import Places, places, read_client, read_file
from accounts.codex_files.reconcile import reconcile, switched_off
from accounts.errors import BadClientFile, LoginNeeded, NoAccounts
from accounts.model import Credentials
from accounts.policy import stored_states
from accounts.states import AccountState, State, in_words
from accounts.store.store import Store
from accounts.tokens import endings
from accounts.tokens.endings import Ending
from accounts.tokens.lifetime import is_over
from cli.doctor.finding import Findings, Severity, note, ok, problem, told, warning
from cli.running.client_login import OWN_LOGIN
from config.times.local_time import clock_time

LIST: Final = "`codex-rotate list` shows each account."
FOR_A_PERSON: Final = frozenset({State.NEEDS_LOGIN, State.CLOSED, State.PAUSED})
"""States that nothing but their owner ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """An account as far as it matters here: no token is in it. `expires_at` is None for one that does not say, `ended`
    what keeps its token from being renewed, "" where nothing does."""

    label: str
    told: AccountState
    has_login: bool = True
    expires_at: float | None = None
    ended: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFacts:
    """`shared` are the accounts whose login the client has too, `sync_off` the variable that keeps both from telling
    each other what they renew, `client_trouble` why the client's files could not be read."""

    seats: tuple[AccountFacts, ...] = ()
    shared: tuple[str, ...] = ()
    sync_off: str = ""
    client_trouble: str = ""


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(store: Store, environ: Mapping[str, str], now: float) -> PoolFacts:
    """What the pool holds. Changes nothing."""
    states, tokens = stored_states(store, now, environ), store.all_credentials()
    seats = tuple(_seat(each.label, states[each.key], tokens.get(each.key)) for each in store.accounts())
    found, trouble = tuple[str, ...](), ""
    try:
        found = _shared(store, places(environ), now)
    except BadClientFile as e:
        trouble = str(e)
    return PoolFacts(seats=seats, shared=found, sync_off=switched_off(environ), client_trouble=trouble)


def _seat(label: str, told: AccountState, login: Credentials | None) -> AccountFacts:
    if login is None:
        return AccountFacts(label=label, told=told, has_login=False)
    ended = "" if login.renewable else login.ended or Ending.NO_TOKEN
    return AccountFacts(label=label, told=told, expires_at=login.expires_at, ended=ended)


def _shared(store: Store, files: Places, now: float) -> tuple[str, ...]:
    """As `sync status` finds them, without counting the look."""
    auth = read_file(files.auth)
    holding = auth if auth and isinstance(auth.document.get("tokens"), dict) else None  # else there is nothing to share
    client = read_client(read_file(files.accounts), holding)
    if client is None:
        return ()
    state = codex_home.pool_state(store)
    changes = reconcile(state, client, now)
    held = {*changes.kept, *(each.account.key for each in changes.renewals)}
    return tuple(
        each.label
        for each in state.accounts
        if each.key in held and each.key in state.credentials and not state.credentials[each.key].own
    )


# --- judgement -------------------------------------------------------------------------------------------------------


def accounts(pool: PoolFacts | None, now: float) -> Findings:
    """None for a pool that cannot be opened."""
    if pool is None:
        yield note("accounts.any", "The accounts cannot be looked at, because the pool cannot be opened.")
        return
    if not pool.seats:
        yield told("accounts.any", str(NoAccounts()))
        return
    for seat in pool.seats:
        match seat.told.state:
            case State.NEEDS_LOGIN:
                yield told(
                    "accounts.logins.oauth_login", str(LoginNeeded(seat.label, seat.told.reason)), Severity.WARNING
                )
            case State.CLOSED:
                what = f"The provider has closed {seat.label}, and no login opens it again."
                yield warning(
                    "accounts.closed", what, f"Run `codex-rotate remove {seat.label}` if it will not come back."
                )
    yield from _usable(pool.seats, now)


def _usable(seats: Sequence[AccountFacts], now: float) -> Findings:
    serving = [seat for seat in seats if seat.told.serves]
    paused = [seat for seat in seats if seat.told.state is State.PAUSED]
    special = [seat for seat in seats if seat.told.state not in {State.READY, *FOR_A_PERSON}]
    if paused:
        yield note("accounts.paused", f"Paused, so that they serve nothing: {_labels(paused)}.", LIST)
    if special:
        each = "; ".join(f"{seat.label}: {in_words(seat.told, now)}" for seat in special)
        yield note("accounts.resting", f"{each}.")
    if serving:
        yield ok("accounts.ready", f"{len(serving)} of {len(seats)} accounts can serve now: {_labels(serving)}.")
        return
    back = min((seat.told.back for seat in seats if seat.told.back is not None), default=None)
    if back is None:
        yield problem("accounts.ready", "No account can serve, and none will by itself.", LIST)
    else:
        what = f"No account can serve before {clock_time(back, now)}."
        yield problem("accounts.ready", what, "Wait, or add an account with `codex-rotate login`.")


def tokens(pool: PoolFacts | None, now: float) -> Findings:
    live = [seat for seat in (pool.seats if pool else ()) if seat.told.state not in FOR_A_PERSON]
    for seat in live:
        if not seat.has_login:
            yield problem("tokens.login", f"No login is stored for {seat.label}.", "Run `codex-rotate login` with it.")
        elif seat.ended:
            over = is_over(seat.expires_at, now)
            until = f"until {clock_time(seat.expires_at, now)}" if seat.expires_at else "until its token is refused"
            judge, when = (problem, "It has ended") if over else (warning, f"It serves {until}, then needs a login")
            what = f"The login of {seat.label} cannot be renewed: {endings.in_words(seat.ended)}. {when}."
            yield judge("tokens.refresh", what, "Run `codex-rotate login` with that account.")
    old = [seat for seat in live if seat.has_login and not seat.ended and is_over(seat.expires_at, now)]
    if old:
        yield note("tokens.expired", f"Expired, and renewed at the next use: the access tokens of {_labels(old)}.")
    elif live and all(seat.has_login and not seat.ended for seat in live):
        yield ok("tokens.fresh", "Every login can be renewed, and no access token has expired.")


def shared(pool: PoolFacts | None) -> Findings:
    if pool is None:
        return
    if pool.client_trouble:
        yield told("accounts.shared", pool.client_trouble, Severity.WARNING)
    if not pool.shared:
        return
    names = ", ".join(pool.shared)
    if pool.sync_off:
        what = (
            f"The client has the login of {names} too, whose refresh token works only once, and {pool.sync_off} keeps "
            "the two from telling each other what they renew."
        )
        yield warning("accounts.shared", what, f"Unset {pool.sync_off}. {OWN_LOGIN}")
    else:
        what = f"The client has the login of {names} too; the two follow each other while a proxy runs."
        yield note("accounts.shared", what, f"A login of the pool's own is safer. {OWN_LOGIN}")


def _labels(seats: Sequence[AccountFacts]) -> str:
    return ", ".join(seat.label for seat in seats)
