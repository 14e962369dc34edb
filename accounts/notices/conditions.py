"""What of a pool is worth a word now: by kind, and by whom or what it is about. Pure.

Of what is close to its border nothing is said either way: it is as it was, so that a number that wavers is no news.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from accounts.choice.quota import window_name
from accounts.choice.selection import Candidate, Policy, Situation
from accounts.model import Account, Credentials
from accounts.people import fair_share
from accounts.people.rules import Denial, PersonRule
from accounts.states import AccountState, State, counted, in_words, tell_all
from accounts.views.remedies import ending, remedies
from config.notify import NoticeKind
from config.times.local_time import clock_time

SHORT_REST: Final = 60.0
"""Seconds. Where somebody serves again so soon, the pool is not dry."""
LOGIN_SOON: Final = 86_400.0
CERTIFICATE_SOON: Final = 14 * 86_400.0
WAVERING: Final = 2.0
"""So many percent more than a mark have to be left before the mark is passed anew."""
_NEED_LOGIN: Final = frozenset({State.NEEDS_LOGIN, State.LOGIN_ENDED, State.NO_LOGIN})


class ConditionName(NamedTuple):
    """What tells conditions apart. `subject` is a name, a handle or a number of ours, and no secret."""

    kind: NoticeKind
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that holds. `text` says it to a person; `account` is a label, `person` a name, `percent` a mark, and
    `until` when it ends or something else follows, in seconds since the epoch."""

    name: ConditionName
    text: str
    account: str = ""
    person: str = ""
    percent: int | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLook:
    """What is looked at. `over` are the budgets that people have used up, by name. `certificate_ends` is when the
    proxy's certificate ends (seconds since the epoch), None where nobody knows."""

    candidates: tuple[Candidate, ...] = ()
    policy: Policy = field(default_factory=Policy)
    logins: Mapping[str, Credentials] = field(default_factory=dict, repr=False)
    over: Mapping[str, Denial] = field(default_factory=dict)
    certificate_ends: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundConditions:
    """`unsure` are those that hold if they held before. `back` is what is said when the pool serves after it was dry;
    None while nobody serves."""

    holding: tuple[Condition, ...] = ()
    unsure: frozenset[ConditionName] = frozenset()
    back: Condition | None = None


type Seats = list[tuple[Account, AccountState]]


def conditions(look: PoolLook, marks: Iterable[int], now: float) -> FoundConditions:
    """Everything that holds now. `marks` are percentages of the pool's scarcest window."""
    candidates = {each.account.key: each for each in look.candidates}
    states = tell_all(candidates, Situation(now=now, policy=look.policy), look.logins)
    seats = [(candidate.account, states[key]) for key, candidate in candidates.items()]
    holding = [*_logins(seats, now), *_budgets(look.over)]
    unsure: set[ConditionName] = set()
    dry = _dry(seats, now)
    if isinstance(dry, Condition):
        holding.append(dry)
    elif dry is None:
        unsure.add(ConditionName(NoticeKind.POOL_DRY))
    ends = look.certificate_ends
    if ends is not None and ends - now <= CERTIFICATE_SOON:
        holding.append(_certificate(ends, now))
    level = fair_share.level(look.candidates, now)
    for mark in marks:
        left = 100.0 - level.used_percent if level is not None else None
        if level is not None and left is not None and left <= mark:
            holding.append(_left(mark, left, level, now))
        elif left is None or left <= mark + WAVERING:
            unsure.add(ConditionName(NoticeKind.POOL_LEFT, str(mark)))
    return FoundConditions(holding=tuple(holding), unsure=frozenset(unsure), back=_back(seats))


def _logins(seats: Seats, now: float) -> Iterator[Condition]:
    for account, told in seats:
        if told.state in _NEED_LOGIN:
            yield Condition(
                name=ConditionName(NoticeKind.LOGIN_NEEDED, account.handle),
                text=f"{account.label}: {in_words(told, now)}. Run `codex-rotate login` with it: it is renewed in its "
                "place.",
                account=account.label,
            )
        elif told.ends is not None and told.ends - now <= LOGIN_SOON:
            yield Condition(
                name=ConditionName(NoticeKind.LOGIN_ENDS, account.handle),
                text=f"{ending([(account, told)], now)[0]}. Run `codex-rotate login` before that, and nobody notices.",
                account=account.label,
                until=told.ends,
            )


def _budgets(over: Mapping[str, Denial]) -> Iterator[Condition]:
    for person, denial in over.items():
        # when a share of the pool begins anew wavers by seconds
        when = "" if denial.rule is PersonRule.SHARE or denial.until is None else f" {denial.until:.0f}"
        yield Condition(
            name=ConditionName(NoticeKind.OVER_BUDGET, f"{person} {denial.rule}{when}"),
            text=f"{denial.sentence}.",
            person=person,
            until=denial.until,
        )


def _dry(seats: Seats, now: float) -> Condition | bool | None:
    """What is said of a pool that is dry, False for one that is not; None for one that is so for a moment only, and
    where there are no accounts: they may be on their way back."""
    if not seats:
        return None
    if any(told.serves for _, told in seats):
        return False
    back = min((told.back for _, told in seats if told.back is not None), default=None)
    if back is not None and back - now <= SHORT_REST:
        return None
    return Condition(name=ConditionName(NoticeKind.POOL_DRY), text=remedies(seats, now)[-1], until=back)


def _back(seats: Seats) -> Condition | None:
    if not any(told.serves for _, told in seats):
        return None
    counts = counted(Counter(told.state for _, told in seats))
    return Condition(name=ConditionName(NoticeKind.POOL_BACK), text=f"The pool serves again: {counts}.")


def _certificate(ends: float, now: float) -> Condition:
    return Condition(
        name=ConditionName(NoticeKind.CERTIFICATE_ENDS, f"{ends:.0f}"),
        text=f"The certificate that the proxy signs with ends {clock_time(ends, now)}. Start the proxy again: "
        "`codex-rotate serve` and `codex-rotate run` renew it.",
        until=ends,
    )


def _left(mark: int, left: float, level: fair_share.PoolLevel, now: float) -> Condition:
    more = f"; the first account has more again {clock_time(level.resets_at, now)}" if level.resets_at else ""
    return Condition(
        name=ConditionName(NoticeKind.POOL_LEFT, str(mark)),
        text=f"{left:.0f} % is left of the pool's {window_name(level.minutes)} limit{more}.",
        percent=mark,
        until=level.resets_at,
    )
