"""`verify`: ask the provider whether accounts can be used, and put right what the pool thinks of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final

import typer

from accounts import verify
from accounts.errors import LoginNeeded, NoAccounts, UsageError
from accounts.model import Account, Cooldown, Credentials, Event, Standing
from accounts.oauth import Renewal
from accounts.store import Store
from accounts.verify import Answer, Finding, Verdict
from cli.naming import find_account
from cli.options import AsJson
from cli.result import Result, Table
from config import clock, paths
from config.outbound import way_to

ANSWER_SECONDS: Final = 15.0
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
"""accounts.refresh.Refresher.renew_now"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """What a check needs: where accounts are, whom to ask and how. Without `renew` nothing is refreshed or changed."""

    store: Store
    url: str
    get: Get
    renew: Renew | None
    clock: Callable[[], float] = clock.now


def add_to(app: typer.Typer) -> None:
    app.command("verify")(verify_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def verify_command(
    account: Annotated[list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="Which accounts.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All accounts.")] = False,
    flagged: Annotated[bool, typer.Option("--flagged", help="Those in bad standing. The default.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask only: change nothing, refresh no token.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Ask the provider whether accounts can be used, and mark them accordingly."""
    if sum((bool(account), every, flagged)) > 1:
        raise UsageError("Name accounts, or say --all or --flagged: one of the three.")
    from accounts.client_files import Writer, places
    from accounts.home_login import HomeLogin
    from accounts.refresh import Refresher
    from config import settings  # late: pydantic

    url = verify.usage_url(settings.load().chatgpt_base_url)
    with Store(paths.pool_file()) as store:
        chosen = _chosen(store.accounts(), account or [], every=every)
        home_login = HomeLogin(store, places(), Writer(pause=clock.pause), clock.now)
        refresher = Refresher(store, paths.locks_folder(), clock.now, co_owner=home_login)
        try:
            renew = None if dry_run else refresher.renew_now
            result = verify_accounts(Checker(store=store, url=url, get=get_over_http, renew=renew), chosen)
        finally:
            refresher.close()
        unsaved = tuple(UNSAVED.format(label=each.label) for each in chosen if each.key in refresher.unsaved)
        return replace(result, notes=(*store.repairs, *unsaved))


def _chosen(accounts: Sequence[Account], names: Sequence[str], *, every: bool) -> list[Account]:
    if not accounts:
        raise NoAccounts
    if names:
        return list({each.key: each for each in (find_account(accounts, name) for name in names)}.values())
    return [each for each in accounts if every or each.standing is not Standing.GOOD]


# --- working ---------------------------------------------------------------------------------------------------------


def verify_accounts(checker: Checker, accounts: Sequence[Account]) -> Result:
    """Check these accounts one after another. Exit code 0: all can be used, 1: some cannot, 3: none can."""
    if not accounts:
        return Result("No account is flagged. Say --all to check every account.", data=[])
    found = [(each, _check(checker, each)) for each in accounts]
    usable = sum(finding.verdict is Verdict.USABLE for _, finding in found)
    rows = tuple((each.label, each.email, _in_words(finding), finding.detail) for each, finding in found)
    table = Table(
        columns=("label", "e-mail", "state", "detail"),
        rows=rows,
        clipped=frozenset({"label", "e-mail"}),
        wrapped=frozenset({"detail"}),
    )
    data = [
        {
            "label": each.label,
            "account_id": each.account_id,
            "user_id": each.user_id,
            "verdict": str(finding.verdict),
            "at_limit": finding.at_limit,
            "detail": finding.detail,
        }
        for each, finding in found
    ]
    hints = [str(LoginNeeded(each.label)) for each, finding in found if finding.verdict is Verdict.NEEDS_LOGIN]
    exit_code = 0 if usable == len(found) else 1 if usable else 3
    return Result("\n".join(hints), data=data, exit_code=exit_code, table=table)


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


def _check(checker: Checker, account: Account) -> Finding:
    """Ask about one account and, unless nothing may be changed, draw the consequences."""
    before = checker.store.cooldowns().get(account.key)
    credentials = checker.store.credentials(account.key)
    if credentials is None:
        return Finding(verdict=Verdict.NEEDS_LOGIN, detail="no login is stored")
    finding, tested = _ask(checker, account, credentials)
    if checker.renew is None or checker.store.credentials(account.key) != tested:
        return finding  # somebody has stored another login meanwhile, about which we know nothing
    _settle(checker, account, finding, before)
    return finding


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


def _settle(checker: Checker, account: Account, finding: Finding, before: Cooldown | None) -> None:
    """Write down what was found. A rest that began meanwhile is news, not stale, and stays."""
    store, key = checker.store, account.key
    standing = verify.STANDINGS.get(finding.verdict)
    if standing is not None and standing is not account.standing:
        store.set_standing(key, standing).result()
    free = finding.verdict is Verdict.USABLE and not finding.at_limit
    if free and before is not None and store.cooldowns().get(key) == before:
        store.clear_cooldown(key).result()
    if finding.windows:
        store.set_windows(key, finding.windows).result()
    detail = f"{finding.verdict} {finding.detail}".strip()
    store.record(Event(at=checker.clock(), kind="verified", key=key, detail=detail)).result()


def _in_words(finding: Finding) -> str:
    if finding.at_limit:
        return "usable, at its limit"
    return {Verdict.NEEDS_LOGIN: "needs login", Verdict.DEACTIVATED: "closed by provider"}.get(
        finding.verdict, str(finding.verdict)
    )
