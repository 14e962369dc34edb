"""`verify`: ask the provider whether accounts can be used, and put right what the pool thinks of them.

The asking is also what `check`, and `--live` of other commands, are made of.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Annotated, Final

import typer

from accounts import states, verify
from accounts.choice import quota
from accounts.choice.selection import Policy, Seat, Situation
from accounts.errors import LoginNeeded, NoAccounts, UsageError
from accounts.model import Account, Cooldown, Credentials, Event, Standing
from accounts.owner.names import find_account
from accounts.policy import policy_of, stored_seats
from accounts.states import Told
from accounts.store.store import Store
from accounts.tokens.oauth import Renewal
from accounts.verify import Answer, Finding, Verdict
from cli.ui.known_names import complete_account
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock, paths
from config.network.outbound import way_to

ANSWER_SECONDS: Final = 15.0
AT_ONCE: Final = 6
"""So many accounts are asked about at the same time."""
MOST_REFRESHES: Final = 2
"""The second one is only for tokens that another process had renewed, and that turn out to be refused as well."""

UNSAVED: Final = (
    "The new tokens of {label} could not be stored and are lost with this command. Mend the disk, then run "
    "`codex-rotate login` for that account."
)

EXPIRED: Final = "the token has expired"

type Get = Callable[[str, Mapping[str, str]], Answer]
"""Asks an address with these headers. Raises OSError when no answer came."""
type Renew = Callable[[str, Credentials, str], Renewal]
"""accounts.tokens.refresh.Refresher.renew_now"""
type Further = Callable[[Account, Credentials, Finding], Finding]
"""Looks closer at an account that can be used so far; gives what is then true of it. Never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """What a check needs: where accounts are, whom to ask and how. Without `renew` nothing is refreshed or changed."""

    store: Store
    url: str
    get: Get
    renew: Renew | None
    further: Further | None = None
    policy: Policy = Policy()  # noqa: RUF009 - frozen
    clock: Callable[[], float] = clock.now


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found out about an account, as it was before. `freed`: a rest that it no longer needs was ended; `told`
    is its state with what was found."""

    account: Account
    finding: Finding
    told: Told
    freed: bool = False


def add_to(app: typer.Typer) -> None:
    app.command("verify")(verify_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def verify_command(
    account: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ACCOUNT]...", help="Which accounts.", autocompletion=complete_account),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All accounts.")] = False,
    flagged: Annotated[bool, typer.Option("--flagged", help="Those in bad standing. The default.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask only: change nothing, refresh no token.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Ask the provider whether accounts can be used, and mark them accordingly."""
    if sum((bool(account), every, flagged)) > 1:
        raise UsageError("Name accounts, or say --all or --flagged: one of the three.")
    with Store(paths.pool_file()) as store:
        chosen = chosen_of(store.accounts(), account or [])
        if not (account or every):
            chosen = [each for each in chosen if each.standing is not Standing.GOOD]
        checked, unsaved = ask_provider(store, chosen, dry_run=dry_run, quiet=as_json)
        return replace(_told(checked), notes=(*store.repairs, *unsaved))


def chosen_of(accounts: Sequence[Account], names: Sequence[str]) -> list[Account]:
    """The accounts that these names mean, each once; all of them without a name. Raises NoAccounts for an empty pool,
    and what find_account raises."""
    if not accounts:
        raise NoAccounts
    found = [find_account(accounts, name) for name in names] if names else accounts
    return list({each.key: each for each in found}.values())


# --- working ---------------------------------------------------------------------------------------------------------


def ask_provider(
    store: Store,
    accounts: Sequence[Account],
    *,
    dry_run: bool = False,
    quiet: bool = False,
    further: Further | None = None,
) -> tuple[list[Checked], tuple[str, ...]]:
    """Ask about these accounts for real, with a progress bar unless `quiet`. Also gives a sentence for each account
    whose new tokens could not be stored. Raises UnsafeBackend and ConfigError before anything is asked."""
    from accounts.codex_files.client_files import Writer, places
    from accounts.codex_files.home_login import HomeLogin
    from accounts.tokens.refresh import Refresher
    from cli.ui.progress import progress
    from config import settings  # late: pydantic

    in_force = settings.load()
    url = verify.usage_url(in_force.chatgpt_base_url)
    policy = policy_of(in_force, stored_seats(store), store.chosen_account())
    home_login = HomeLogin(store, places(), Writer(pause=clock.pause), clock.now)
    refresher = Refresher(store, paths.locks_folder(), clock.now, co_owner=home_login)
    renew = None if dry_run else refresher.renew_now
    checker = Checker(store=store, url=url, get=get_over_http, renew=renew, further=further, policy=policy)
    try:
        with progress("Asking the provider", len(accounts), quiet=quiet) as answered:
            checked = check_each(checker, accounts, answered)
    finally:
        refresher.close()
    unsaved = tuple(UNSAVED.format(label=each.label) for each in accounts if each.key in refresher.unsaved)
    return checked, unsaved


def check_each(
    checker: Checker, accounts: Sequence[Account], answered: Callable[[], None] = lambda: None
) -> list[Checked]:
    """Check these accounts, AT_ONCE at a time, and call `answered` after each. The order is that of the accounts.

    Whatever ends it early, what has been begun is finished: a token that was sent must find its answer stored.
    """
    checker = replace(checker, renew=checker.renew and _one_at_a_time(checker.renew))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="codex-rotate-check") as threads:
        asked = [threads.submit(_check, checker, each) for each in accounts]
        try:
            for each in as_completed(asked):
                each.result()
                answered()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
        return [each.result() for each in asked]


def _one_at_a_time(renew: Renew) -> Renew:
    """The machine-wide lock gives up after a while. Those of one command wait for each other here, without that."""
    turn = threading.Lock()

    def waiting(key: str, stale: Credentials, reason: str) -> Renewal:
        with turn:
            return renew(key, stale, reason)

    return waiting


def verify_accounts(checker: Checker, accounts: Sequence[Account]) -> Result:
    """Check these accounts and tell. Exit code 0: all can be used, 1: some cannot, 3: none can."""
    return _told(check_each(checker, accounts))


def _told(checked: Sequence[Checked]) -> Result:
    if not checked:
        return Result("No account is flagged. Say --all to check every account.", data=[])
    now = clock.now()
    rows = tuple((c.account.label, c.account.email, in_words(c, now), detail(c)) for c in checked)
    table = Table(
        columns=("label", "e-mail", "state", "detail"),
        rows=rows,
        clipped=frozenset({"label", "e-mail"}),
        wrapped=frozenset({"detail"}),
    )
    data = [as_data(each) for each in checked]
    return Result("\n".join(hints(checked)), data=data, exit_code=exit_code(checked), table=table)


def as_data(checked: Checked) -> dict[str, object]:
    account, finding = checked.account, checked.finding
    return {
        "label": account.label,
        "account_id": account.account_id,
        "user_id": account.user_id,
        "verdict": str(finding.verdict),
        "state": str(checked.told.state),
        "at_limit": finding.at_limit,
        "detail": finding.detail,
    }


def detail(checked: Checked) -> str:
    """What the provider has said beside the state."""
    limit = "at its limit, says the provider" if checked.finding.at_limit else ""
    return ", ".join(filter(None, (limit, checked.finding.detail)))


def hints(checked: Sequence[Checked]) -> list[str]:
    """What a person has to do."""
    return [str(LoginNeeded(c.account.label)) for c in checked if c.finding.verdict is Verdict.NEEDS_LOGIN]


def exit_code(checked: Sequence[Checked]) -> int:
    """0: all can be used, 1: some cannot, 3: none can."""
    usable = sum(c.finding.verdict is Verdict.USABLE for c in checked)
    return 0 if usable == len(checked) else 1 if usable else 3


def in_words(checked: Checked, now: float) -> str:
    """For a table cell: the account's state, where the provider has said something about it."""
    if checked.finding.verdict is Verdict.UNKNOWN:
        return "not known"
    return states.in_words(checked.told, now)


def get_over_http(url: str, headers: Mapping[str, str]) -> Answer:
    """The real way out. Every failure to get an answer is an OSError that holds neither address nor header."""
    import httpx

    way = way_to(url)
    try:
        with way.client(ANSWER_SECONDS) as client:
            answer = client.get(url, headers=dict(headers))
    except httpx.HTTPError as e:
        raise OSError(way.failure(e)) from None
    fields = {name.lower(): value for name, value in answer.headers.items()}
    return Answer(status=answer.status_code, headers=fields, body=answer.content)


def _check(checker: Checker, account: Account) -> Checked:
    """Ask about one account and, unless nothing may be changed, draw the consequences."""
    before = checker.store.cooldowns().get(account.key)
    credentials = checker.store.credentials(account.key)
    if credentials is None:
        return _checked(checker, account, Finding(verdict=Verdict.NEEDS_LOGIN, detail="no login is stored"))
    finding, tested = _ask(checker, account, credentials)
    if checker.further is not None and finding.verdict is Verdict.USABLE:
        finding = checker.further(account, tested, finding)
    if checker.renew is None or checker.store.credentials(account.key) != tested:
        return _checked(checker, account, finding)  # somebody has stored another login, about which we know nothing
    return _checked(checker, account, finding, freed=_settle(checker, account, finding, before))


def _checked(checker: Checker, account: Account, finding: Finding, *, freed: bool = False) -> Checked:
    """With the account's state as it is now, or would be if something might be changed."""
    now, logins = checker.clock(), checker.store.all_credentials()
    seat = stored_seats(checker.store).get(account.key, Seat(account=account))
    standing = verify.STANDINGS.get(finding.verdict, seat.account.standing)
    windows = quota.merged(seat.windows, finding.windows)
    would_be_free = checker.renew is None and finding.verdict is Verdict.USABLE and not finding.at_limit
    rest = None if would_be_free else seat.cooldown
    seat = replace(seat, account=replace(seat.account, standing=standing), windows=windows, cooldown=rest)
    state = states.tell(seat, Situation(now=now, policy=checker.policy), logins.get(account.key))
    return Checked(account, finding, state, freed=freed)


def _ask(checker: Checker, account: Account, credentials: Credentials) -> tuple[Finding, Credentials]:
    """What is found out, and the tokens it was found out with."""
    ours = False
    for refreshes in range(MOST_REFRESHES + 1):
        now = checker.clock()
        finding = Finding(verdict=Verdict.STALE, detail=EXPIRED)
        if refreshes or not verify.is_stale(credentials, now):  # a renewed one is tried, whatever our clock says of it
            try:
                finding = verify.read_answer(checker.get(checker.url, verify.headers(account, credentials)), now)
            except OSError as e:
                return Finding(verdict=Verdict.UNKNOWN, detail=f"no answer: {e}"), credentials
        if finding.verdict is not Verdict.STALE:
            return finding, credentials
        if checker.renew is None:
            detail = f"{finding.detail}; only a refresh would tell, and a dry run makes none"
            return Finding(verdict=Verdict.UNKNOWN, detail=detail), credentials
        if ours or refreshes == MOST_REFRESHES:
            break
        reason = "proactive_expiry" if finding.detail == EXPIRED else "unauthorized_recovery"
        renewal = checker.renew(account.key, credentials, reason)
        if renewal.credentials is None:
            return verify.read_renewal(renewal), credentials
        credentials, ours = renewal.credentials, renewal.detail != "adopted"
    return Finding(verdict=Verdict.NEEDS_LOGIN, detail=f"{finding.detail}, with a new token too"), credentials


def _settle(checker: Checker, account: Account, finding: Finding, before: Cooldown | None) -> bool:
    """Write down what was found; whether a rest was ended. One that began meanwhile is news, not stale, and stays."""
    store, key = checker.store, account.key
    standing = verify.STANDINGS.get(finding.verdict)
    if standing is not None and standing is not account.standing:
        store.set_standing(key, standing).result()
    free = finding.verdict is Verdict.USABLE and not finding.at_limit
    freed = free and before is not None and store.cooldowns().get(key) == before
    if freed:
        store.clear_cooldown(key).result()
    if finding.windows:
        store.set_windows(key, finding.windows).result()
    detail = f"{finding.verdict} {finding.detail}".strip()
    store.record(Event(at=checker.clock(), kind="verified", key=key, detail=detail)).result()
    return freed
