"""Asking the provider whether accounts can be used, and putting right what the pool thinks of them.

How an address is asked, and how a token is renewed, are handed in.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Final

from accounts import states
from accounts.choice import quota
from accounts.choice.selection import Candidate, Policy, Situation
from accounts.errors import LoginNeeded
from accounts.model import Account, Cooldown, Credentials, Event, Standing
from accounts.policy import stored_candidates
from accounts.provider import usage
from accounts.provider.usage import AccountFinding, ProviderAnswer, Verdict
from accounts.states import AccountState
from accounts.store.store import Store
from accounts.tokens.lifetime import is_over
from accounts.tokens.oauth import Renewal

AT_ONCE: Final = 6
"""So many accounts are asked about at the same time."""
MOST_REFRESHES: Final = 2
"""The second one is only for tokens that another process had renewed, and that turn out to be refused as well."""
EXPIRED: Final = "the token has expired"

type Get = Callable[[str, Mapping[str, str]], ProviderAnswer]
"""Asks an address with these headers. Raises OSError when no answer came."""
type Renew = Callable[[str, Credentials, str], Renewal]
"""accounts.tokens.refresh.Refresher.renew_now"""
type Further = Callable[[Account, Credentials, AccountFinding], AccountFinding]
"""Looks closer at an account that can be used so far; gives what is then true of it. Never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """What a check needs: where accounts are, whom to ask and how. Without `renew` nothing is refreshed or changed."""

    store: Store
    url: str
    get: Get
    renew: Renew | None
    clock: Callable[[], float]
    further: Further | None = None
    policy: Policy = Policy()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found out about an account, as it was before. `freed`: a rest that it no longer needs was ended; `told`
    is its state with what was found."""

    account: Account
    finding: AccountFinding
    told: AccountState
    freed: bool = False


def check_each(
    checker: Checker, accounts: Sequence[Account], answered: Callable[[], None] = lambda: None
) -> list[Checked]:
    """Check these accounts, AT_ONCE at a time, and call `answered` after each. The order is that of the accounts.

    Whatever ends it early, what has been begun is finished: a token that was sent must find its answer stored.
    """
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="codex-rotate-check") as threads:
        asked = [threads.submit(_check, checker, each) for each in accounts]
        try:
            for each in as_completed(asked):
                each.result()
                answered()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
        return [each.result() for each in asked]


def _check(checker: Checker, account: Account) -> Checked:
    """Ask about one account and, unless nothing may be changed, draw the consequences."""
    before = checker.store.cooldowns().get(account.key)
    credentials = checker.store.credentials(account.key)
    if credentials is None:
        return _checked(checker, account, AccountFinding(verdict=Verdict.NEEDS_LOGIN, detail="no login is stored"))
    finding, tested = _ask(checker, account, credentials)
    if checker.further is not None and finding.verdict is Verdict.USABLE:
        finding = checker.further(account, tested, finding)
    stored = checker.store.credentials(account.key)
    if checker.renew is None or stored is None or stored.access != tested.access:
        return _checked(checker, account, finding)  # somebody has stored another login, about which we know nothing
    return _checked(checker, account, finding, freed=_settle(checker, account, finding, before))


def _checked(checker: Checker, account: Account, finding: AccountFinding, *, freed: bool = False) -> Checked:
    """With the account's state as it is now, or would be if something might be changed."""
    now, logins = checker.clock(), checker.store.all_credentials()
    candidate = stored_candidates(checker.store).get(account.key, Candidate(account=account))
    standing, reason = _standing(finding) or (candidate.account.standing, candidate.account.standing_reason)
    windows = quota.merged(candidate.windows, finding.windows)
    would_be_free = checker.renew is None and finding.verdict is Verdict.USABLE and not finding.at_limit
    rest = None if would_be_free else candidate.cooldown
    account_now = replace(candidate.account, standing=standing, standing_reason=reason)
    candidate = replace(candidate, account=account_now, windows=windows, cooldown=rest)
    state = states.tell(candidate, Situation(now=now, policy=checker.policy), logins.get(account.key))
    return Checked(account, finding, state, freed=freed)


def _ask(checker: Checker, account: Account, credentials: Credentials) -> tuple[AccountFinding, Credentials]:
    """What is found out, and the tokens it was found out with."""
    ours = False
    for refreshes in range(MOST_REFRESHES + 1):
        now = checker.clock()
        finding = AccountFinding(verdict=Verdict.STALE, detail=EXPIRED)
        if refreshes or not usage.is_stale(credentials, now):  # a renewed one is tried, whatever our clock says of it
            try:
                finding = usage.read_answer(checker.get(checker.url, usage.headers(account, credentials)), now)
            except OSError as e:
                return AccountFinding(verdict=Verdict.UNKNOWN, detail=f"no answer: {e}"), credentials
        if finding.verdict is not Verdict.STALE:
            return finding, credentials
        if checker.renew is None:
            detail = f"{finding.detail}; only a refresh would tell, and a dry run makes none"
            return AccountFinding(verdict=Verdict.UNKNOWN, detail=detail), credentials
        if ours or refreshes == MOST_REFRESHES:
            break
        reason = "proactive_expiry" if finding.detail == EXPIRED else "unauthorized_recovery"
        renewal = checker.renew(account.key, credentials, reason)
        if renewal.ended and finding.detail == EXPIRED and not is_over(credentials.expires_at, now):
            credentials = replace(credentials, ended=renewal.ended)  # what is left of it tells
            continue
        if renewal.credentials is None:
            return usage.read_renewal(renewal, finding, credentials, checker.clock()), credentials
        credentials, ours = renewal.credentials, renewal.detail != "adopted"
    return usage.read_second_refusal(finding), credentials


def _settle(checker: Checker, account: Account, finding: AccountFinding, before: Cooldown | None) -> bool:
    """Write down what was found; whether a rest was ended. One that began meanwhile is news, not stale, and stays."""
    store, key = checker.store, account.key
    found, was = _standing(finding), (account.standing, account.standing_reason)
    if found is not None and found != was:
        store.set_standing(key, *found).result()
    free = finding.verdict is Verdict.USABLE and not finding.at_limit
    freed = free and before is not None and store.cooldowns().get(key) == before
    if freed:
        store.clear_cooldown(key).result()
    if finding.windows:
        store.set_windows(key, finding.windows).result()
    detail = f"{finding.verdict} {finding.detail}".strip()
    news = [Event(at=checker.clock(), kind="verified", key=key, detail=detail)]
    if finding.verdict is Verdict.USABLE and account.standing is not Standing.GOOD:
        marked = " ".join(filter(None, (account.standing.replace("_", " "), account.standing_reason)))
        news.append(Event(at=checker.clock(), kind="recovered", key=key, detail=f"it was marked {marked}"))
    store.record(*news).result()
    return freed


def _standing(finding: AccountFinding) -> tuple[Standing, str] | None:
    """The standing that follows from a finding, and its reason; None when nothing does."""
    standing = usage.STANDINGS.get(finding.verdict)
    return None if standing is None else (standing, "" if standing is Standing.GOOD else finding.word)


def in_words(checked: Checked, now: float) -> str:
    """The account's state, where the provider has said something about it."""
    if checked.finding.verdict is Verdict.UNKNOWN:
        return "cannot tell"
    return states.in_words(checked.told, now)


def detail(checked: Checked) -> str:
    """What the provider has said beside the state."""
    limit = "at its limit, says the provider" if checked.finding.at_limit else ""
    return ", ".join(filter(None, (limit, checked.finding.detail)))


def hints(checked: Sequence[Checked]) -> list[str]:
    """What a person has to do."""
    needy = [each for each in checked if each.finding.verdict is Verdict.NEEDS_LOGIN]
    return [str(LoginNeeded(each.account.label, each.finding.word)) for each in needy]
