"""Which account serves a request, and why. Pure: state and time in, one account or the reason for none out.

Two questions: who may not serve (EXCLUSIONS, first row that fits), and who of the others comes first (Rank, field by
field). A new reason to pass an account over is a row, a new preference is a field.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from accounts.choice import quota
from accounts.choice.cooldowns import resting
from accounts.choice.outcomes import RULES, Blame, Kind, Rest
from accounts.choice.quota import Window
from accounts.choice.threads import UNPLACED, Placement
from accounts.model import Account, Cooldown, Standing
from accounts.people.subset import in_subset

RAMP_THREADS: Final = 4
"""So many threads whose own account failed may go to the same one within RAMP_SECONDS; then others come first."""
RAMP_SECONDS: Final = 10.0
RESIDENT_SECONDS: Final = 3.0
"""So long a thread keeps away from its own account when upstream stumbled there: enough for a client that comes back at
once, in silence, to be led elsewhere."""
SHORT_SECONDS: Final = 15.0
"""A longer rest was named by upstream, or follows a silence that cost a whole timeout: it is not cut short."""
LEAST_AHEAD: Final = 0.05
"""A window that is all but over is not a bargain without bounds."""


class Strategy(StrEnum):
    """Where new threads go."""

    BALANCED = "balanced"
    """To the account with the most left of its scarcest window, for the time until that resets and for its size."""
    DRAIN = "drain"
    """To the one whose longest window resets soonest: what is not used until then is lost."""
    ROUND_ROBIN = "round_robin"
    """To each in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the owner of the pool wants. `pin` is the key of the only account that may serve ("": any).

    From `defer_percent` of a window on, an account waits behind the others. `drop_compaction` lets a thread leave the
    account that summarised its past, at the price of that summary.
    """

    strategy: Strategy = Strategy.BALANCED
    pin: str = ""
    defer_percent: float = 95.0
    drop_compaction: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request wants: its thread (empty: none), its model, and the accounts it has already been to.

    `steady` asks for the same account again and again, whatever is in flight: answers that the client compares. `pin`
    is the only account that may serve it, as the policy's is for every request, and goes before that one. `guest`: who
    asks is not the pool's owner, and hears nothing of single accounts. `parent` is the thread whose sub-agent asks.
    `client` is the name of the client's key, `person` whose it is, and `only` the accounts that this person may use
    (Person.accounts); empty: any.
    """

    thread: str = ""
    model: str = ""
    steady: bool = False
    pin: str = ""
    tried: frozenset[str] = frozenset()
    guest: bool = False
    parent: str = ""
    client: str = ""
    person: str = ""
    only: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An account as selection sees it. `followed` is how many displaced threads came to it within RAMP_SECONDS,
    `turn` when it last got a new thread, as a number that only grows. `refuses` are models it was refused lately,
    `lists` those its catalogue names (None: not seen)."""

    account: Account
    cooldown: Cooldown | None = None
    has_tokens: bool = True
    windows: tuple[Window, ...] = ()
    in_flight: int = 0
    followed: int = 0
    turn: int = 0
    refuses: frozenset[str] = frozenset()
    lists: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything beside the accounts that a choice depends on. `now` is in seconds since the epoch."""

    now: float
    ask: Ask = field(default_factory=Ask)
    place: Placement = UNPLACED
    policy: Policy = field(default_factory=Policy)
    failed: frozenset[str] = frozenset()
    """Accounts that have just failed this thread."""


# --- who may not serve -----------------------------------------------------------------------------------------------


class Exclusion(StrEnum):
    """Why an account is passed over. The order is that of EXCLUSIONS: what only its owner can mend comes first, and
    what is wrong with the account itself before what is special about the request."""

    NEEDS_LOGIN = "needs_login"
    DEACTIVATED = "deactivated"
    PAUSED = "paused"
    NO_TOKENS = "no_tokens"
    RESTING = "resting"
    RESERVED = "reserved"
    MODEL = "model"
    PIN = "pinned"
    PERSON = "person"
    COMPACTION = "compaction"
    TRIED = "tried"


OURS: Final = (Exclusion.PIN, Exclusion.PERSON, Exclusion.COMPACTION, Exclusion.RESERVED, Exclusion.MODEL)
"""Rules of the pool, not upstream's: an answer they lead to says so. The first that fits is named; that a model is not
for everybody explains nothing when the others are at their limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """`until` is when that ends by itself, None when it does not."""

    bar: Exclusion
    text: str
    until: float | None = None


type Check = Callable[[Candidate, Situation], Excluded | None]


def _standing(candidate: Candidate, _: Situation) -> Excluded | None:
    standing = candidate.account.standing
    return (
        None if standing is Standing.GOOD else Excluded(bar=Exclusion(standing.value), text=standing.replace("_", " "))
    )


def _paused(candidate: Candidate, _: Situation) -> Excluded | None:
    return None if candidate.account.enabled else Excluded(bar=Exclusion.PAUSED, text="paused")


def _no_tokens(candidate: Candidate, _: Situation) -> Excluded | None:
    return None if candidate.has_tokens else Excluded(bar=Exclusion.NO_TOKENS, text="no tokens stored")


def _not_the_pin(candidate: Candidate, about: Situation) -> Excluded | None:
    pin = about.ask.pin or about.policy.pin
    return None if pin in {"", candidate.account.key} else Excluded(bar=Exclusion.PIN, text="another account is pinned")


def _not_for_the_person(candidate: Candidate, about: Situation) -> Excluded | None:
    if in_subset(candidate.account, about.ask.only):
        return None
    return Excluded(bar=Exclusion.PERSON, text=f"not for {about.ask.person}")


def _not_the_owner(candidate: Candidate, about: Situation) -> Excluded | None:
    if about.place.owner in {"", candidate.account.key} or about.policy.drop_compaction:
        return None
    return Excluded(bar=Exclusion.COMPACTION, text="another account sealed this conversation's summary")


def _resting(candidate: Candidate, about: Situation) -> Excluded | None:
    rest = candidate.cooldown
    if rest is None or resting(rest, about.now) is not Rest.HARD:
        return None
    return Excluded(bar=Exclusion.RESTING, text=f"resting ({rest.reason.replace('_', ' ')})", until=rest.until)


def _reserved(candidate: Candidate, about: Situation) -> Excluded | None:
    kept = candidate.account.reserve_percent
    if kept <= 0:
        return None
    until = quota.deferred_until(candidate.windows, limit_percent=100.0 - kept, now=about.now)
    return None if until is None else Excluded(bar=Exclusion.RESERVED, text=f"{kept} % are its owner's", until=until)


def _refuses_model(candidate: Candidate, about: Situation) -> Excluded | None:
    model = about.ask.model
    return Excluded(bar=Exclusion.MODEL, text=f"{model} is not for its plan") if model in candidate.refuses else None


def _tried(candidate: Candidate, about: Situation) -> Excluded | None:
    tried = candidate.account.key in about.ask.tried
    return Excluded(bar=Exclusion.TRIED, text="already tried for this request") if tried else None


EXCLUSIONS: Final[tuple[Check, ...]] = (
    _standing, _paused, _no_tokens, _resting, _reserved, _refuses_model, _not_the_pin,
    _not_for_the_person, _not_the_owner, _tried,
)  # fmt: skip


def barred(candidate: Candidate, about: Situation) -> Excluded | None:
    """Why this account cannot serve this request, None when it can."""
    for check in EXCLUSIONS:
        found = check(candidate, about)
        if found is not None:
            return found
    return None


# --- who comes first -------------------------------------------------------------------------------------------------


class Rank(NamedTuple):
    """The order of preference; smaller is better."""

    failed: bool
    tired: bool
    deferred: bool
    place: int
    unlisted: bool
    priority: int
    crowded: bool
    strategy: float
    added_at: float
    key: str


REASONS: Final[Mapping[str, str]] = {
    "failed": "the others have just failed this thread",
    "tired": "the others have just failed",
    "deferred": "the others are close to their limits",
    "place": "the thread lives here",
    "unlisted": "the others do not list this model",
    "priority": "its priority is the highest",
    "crowded": "the others were just given threads whose own account failed",
    "strategy": "",
    "added_at": "it is the oldest of equals",
    "key": "it is the first of equals",
}
"""What a field decides, in words. The strategy speaks for itself."""
ALONE: Final = "it is the only one that can"


def rank(candidate: Candidate, about: Situation) -> Rank:
    """How this account compares with others that can serve."""
    account, place, steady = candidate.account, about.place, about.ask.steady
    return Rank(
        failed=account.key in about.failed,
        tired=tired(candidate, about),
        deferred=_deferred(candidate, about),
        place=0 if account.key == place.home else 1 if account.key == place.detour else 2,
        unlisted=bool(about.ask.model and candidate.lists is not None and about.ask.model not in candidate.lists),
        priority=-account.priority,
        crowded=not steady and candidate.followed >= RAMP_THREADS,
        strategy=0.0 if steady else _STRATEGIES[about.policy.strategy](candidate, about.now),
        added_at=account.added_at,
        key=account.key,
    )


def _deferred(candidate: Candidate, about: Situation) -> bool:
    """Whether a window of the account is as good as used up."""
    limit = about.policy.defer_percent
    return quota.deferred_until(candidate.windows, limit_percent=limit, now=about.now) is not None


def tired(candidate: Candidate, about: Situation) -> bool:
    """Whether the account had better be left alone for a moment. For a thread that lives there the moment is short when
    the trouble was upstream's: it may be over, and a switch costs a cold cache."""
    rest, place = candidate.cooldown, about.place
    if rest is None or resting(rest, about.now) is not Rest.SOFT:
        return False
    lives_here = candidate.account.key in {place.home, place.detour}
    short = rest.until - rest.since <= SHORT_SECONDS and RULES[Kind(rest.reason)].blame is Blame.UPSTREAM
    return not (lives_here and short and about.now - rest.since > RESIDENT_SECONDS)


def score(candidate: Candidate, now: float) -> float:
    """How much an account has to give to one more thread, for the time until its windows reset.

    What is left of a window, divided by the part of it that is still to come: more than 1 is quota that would expire
    unused. The scarcest window counts. Turns in flight weigh less on a larger plan. `make week` shows what this does.
    """
    main = [window for window in candidate.windows if window.family == quota.MAIN]
    scarcest = min((quota.left(window, now) / max(LEAST_AHEAD, _ahead(window, now)) for window in main), default=1.0)
    return scarcest / (1 + (1 + candidate.in_flight + candidate.followed) / quota.capacity(candidate.account.plan))


def _ahead(window: Window, now: float) -> float:
    """The part of a window that is still to come, 0 to 1; all of it when it is fresh or says nothing."""
    if window.resets_at is None or window.resets_at <= now:
        return 1.0
    return min(1.0, (window.resets_at - now) / (window.minutes * 60.0))


def _balanced(candidate: Candidate, now: float) -> float:
    return -score(candidate, now)


def _drain(candidate: Candidate, now: float) -> float:
    longest = max((w for w in candidate.windows if w.family == quota.MAIN), key=lambda w: w.minutes, default=None)
    resets_at = longest.resets_at if longest is not None else None
    return resets_at if resets_at is not None and resets_at > now else float("inf")


def _round_robin(candidate: Candidate, _: float) -> float:
    return float(candidate.turn)


_STRATEGIES: Final[Mapping[Strategy, Callable[[Candidate, float], float]]] = {
    Strategy.BALANCED: _balanced,
    Strategy.DRAIN: _drain,
    Strategy.ROUND_ROBIN: _round_robin,
}


# --- the choice ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The account that serves, and what decided for it."""

    account: Account
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """Nobody can serve. `resets_at` is when the first account can again, None when only a person can help.

    `limited` is True when at least one account rests because upstream said its limit is reached. `rule` names a rule of
    the pool without which somebody could serve. `reasons` says, per account label, why it was passed over;
    a `guest` is not told.
    """

    resets_at: float | None = None
    limited: bool = False
    plan: str = ""
    rule: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    guest: bool = False


def choose(
    candidates: Mapping[str, Candidate], about: Situation, known: Mapping[str, Rank] = MappingProxyType({})
) -> Choice | Exhausted:
    """The best account that can serve, else why nobody can. `known` has ranks of accounts that can."""
    home = candidates.get(about.place.home) if len(candidates) > 1 else None
    if home is not None and _at_home(home, about):
        return Choice(account=home.account, why=REASONS["place"])
    able = [key for key, candidate in candidates.items() if key in known or barred(candidate, about) is None]
    if not able:
        return exhausted(candidates, about)
    if len(able) == 1:
        return Choice(account=candidates[able[0]].account, why=ALONE)
    ranked = sorted((known.get(key) or rank(candidates[key], about), key) for key in able)
    return Choice(account=candidates[ranked[0][1]].account, why=_why([each for each, _ in ranked[:2]], about))


def _at_home(home: Candidate, about: Situation) -> bool:
    """Whether the account that a thread lives on comes first, whatever the others are like."""
    stays = home.account.key not in about.failed and not tired(home, about)
    return stays and barred(home, about) is None and not _deferred(home, about)


def _why(best: list[Rank], about: Situation) -> str:
    """What decided between the first and the second: the first field in which they differ."""
    for name, mine, other in zip(Rank._fields, *best, strict=True):
        if mine != other:
            if name == "place" and mine == 1:
                return "the thread is here while its home is away"
            return REASONS[name] or f"strategy: {about.policy.strategy}"
    raise AssertionError("two accounts have the same key")


def exhausted(candidates: Mapping[str, Candidate], about: Situation) -> Exhausted:
    """The soonest return of an account that only rests; what the pool answers is built from this."""
    bars = {key: _all_bars(candidate, about) for key, candidate in candidates.items()}
    returns = [(until, key) for key, found in bars.items() if (until := _return(found)) is not None]
    first = min(returns, default=None)
    limited = any(each.bar is Exclusion.RESTING for _, key in returns for each in bars[key])
    pin = about.ask.pin or about.policy.pin
    stranger = {pin: "there is no such account"} if pin and pin not in candidates else {}
    return Exhausted(
        resets_at=first[0] if first else None,
        limited=limited,
        plan=candidates[first[1]].account.plan if first else "",
        rule=_rule(bars.values(), limited=limited),
        reasons={candidates[key].account.label: found[0].text for key, found in bars.items()} | stranger,
        guest=about.ask.guest,
    )


def back_at(candidate: Candidate, about: Situation) -> float | None:
    """When nothing keeps an account from serving any more; None when something does for good, or nothing does now."""
    return _return(_all_bars(candidate, about))


def _all_bars(candidate: Candidate, about: Situation) -> list[Excluded]:
    return [found for check in EXCLUSIONS if (found := check(candidate, about)) is not None]


def _return(found: list[Excluded]) -> float | None:
    """When nothing keeps an account any more; None when something does for good, or nothing but having been tried."""
    lasting = [each for each in found if each.bar is not Exclusion.TRIED]
    ends = [each.until for each in lasting if each.until is not None]
    return max(ends) if ends and len(ends) == len(lasting) else None


def _rule(bars: Iterable[list[Excluded]], *, limited: bool) -> str:
    """The rule of the pool without which somebody could serve now, "" when none stands in the way."""
    kept = [{each.bar for each in found} for found in bars]
    ours = {bar for found in kept if found <= set(OURS) for bar in found}
    if limited:
        ours.discard(Exclusion.MODEL)
    return next((str(bar) for bar in OURS if bar in ours), "")
