"""The choice for a conversation in words: where its thread lives, who it is, what keeps the others behind. Pure.

Names are as they were given: whoever shows them sees to what a screen can show.
"""

import math
from collections.abc import Mapping
from typing import Final

from accounts.choice.explanation import Assessment, Explanation
from accounts.choice.selection import Choice, Exhausted, Policy, Rank, Strategy
from accounts.model import Account
from accounts.states import LOGIN_ENDS, in_words
from accounts.views.choice import ChoiceView
from config.times.local_time import clock_time

BY_STRATEGY: Final[Mapping[Strategy, tuple[str, str]]] = {
    Strategy.BALANCED: (
        "it has the most left for the time until it resets",
        "less is left for the time until it resets",
    ),
    Strategy.DRAIN: ("its longest window resets soonest", "its longest window resets later"),
    Strategy.ROUND_ROBIN: ("it is its turn", "its turn comes later"),
}
"""What puts an account first, and what behind another one."""
WITHOUT: Final[Mapping[str, str]] = {
    "pinned": "Run `codex-rotate use --auto`, or unset `pinned_account`, to let others serve.",
    "person": "Let them use other accounts (`codex-rotate people set NAME --accounts`), or wait.",
    "compaction": "Wait, or set `on_foreign_compaction` to drop and lose that summary.",
    "reserved": "Lower the reserve of an account, or wait.",
    "model": "Use another model, or add an account of a larger plan.",
}
"""What to do about a rule of the pool that keeps everybody from serving."""
BEHIND: Final[Mapping[str, str]] = {
    "failed": "it has just failed this thread",
    "place": "the thread lives elsewhere",
    "unlisted": "its catalogue lacks the model",
    "priority": "its priority is lower",
    "crowded": "it was just given other threads whose account failed",
    "added_at": "it was added later",
    "key": "they are equal but for their names",
}
"""What keeps an account behind the one before it, by the field that decides. The other fields have words of their own
in `_traits`, or in BY_STRATEGY."""
UNKNOWN_THREAD: Final = (
    "The pool knows no such thread and would place it like a new one. `codex-rotate why --last 20` names some that it "
    "has served."
)


def choice_verdict(view: ChoiceView, now: float) -> str:
    """Who it is, or why nobody."""
    what = "This thread" if view.ask.thread else "A new thread"
    model = f", for {view.ask.model}," if view.ask.model else ""
    match view.found.choice:
        case Choice(account=account, why=why):
            reason = BY_STRATEGY[view.policy.strategy][0] if why.startswith("strategy") else why
            return f"{what}{model} would go to {account.label}: {reason}.{_in_vain(account, view.found, now)}"
        case Exhausted(rule=rule, resets_at=resets_at):
            pin, nobody = view.policy.pin, f"Nobody could serve {what.lower()}{model} now."
            absent = pin not in {"", *view.accounts}
            gone = f" {pin}, the only account that may, is not in the pool." if absent else ""
            if rule in WITHOUT:
                return f"{nobody}{gone} {WITHOUT[rule]}"
            if resets_at is not None:
                return f"{nobody} Wait: the first account is back at {clock_time(resets_at, now)}."
            return f"{nobody} Run `codex-rotate list` to see what each one needs."


def _in_vain(account: Account, found: Explanation, now: float) -> str:
    """What to expect of an account that is chosen although it has little chance: nobody has a better one."""
    told = next(each.told for each in found.assessments if each.candidate.account.key == account.key)
    return "" if told.serves else f" The provider will hardly serve it: {in_words(told, now)}."


def about_thread(view: ChoiceView, now: float) -> list[str]:
    """Where a thread lives, where it is, and who can read its past."""
    if not view.ask.thread:
        return []
    known, place = view.known, view.place
    if known is None:
        return [UNKNOWN_THREAD]
    used = f"It was last used at {clock_time(known.used_at, now)}"
    lives = f"and lives on {_named(view, place.home)}" if place.home else "which is so long ago that it is placed anew"
    lines = [f"{used}, {lives}."]
    if place.detour:
        since = clock_time(known.detoured_at, now)
        lines.append(f"{_named(view, place.detour)} has served it since {since}, while its home is away.")
    if place.owner:
        lines.append(f"{_named(view, place.owner)} summarised its past, and no other account can read that summary.")
    return lines


def _named(view: ChoiceView, key: str) -> str:
    return view.label(key) or "an account that is gone"


def standing_words(each: Assessment, before: Assessment | None, policy: Policy, now: float) -> str:
    """Why an account is out, or behind the one before it, and what else is special about it."""
    if each.barred is not None:
        return f"cannot serve: {in_words(each.told, now)}"
    traits = _traits(each, policy, now)
    if each.rank is None or before is None or before.rank is None:
        return "; ".join(["first", *traits.values()])
    decides = next(name for name, one, other in zip(Rank._fields, before.rank, each.rank, strict=True) if one != other)
    behind = BEHIND.get(decides) or traits.pop(decides, "") or BY_STRATEGY[policy.strategy][1]
    return "; ".join([f"next: {behind}", *traits.values()])


def _traits(each: Assessment, policy: Policy, now: float) -> dict[str, str]:
    """What is special about an account that can serve, by the field of its rank, and the end of its login."""
    rank, state = each.rank, in_words(each.told, now)
    assert rank is not None
    here = ("the thread lives here", "the thread is here while its home is away", "")
    found = {
        "tired": state if rank.tired else "",
        "deferred": state if rank.deferred and not rank.tired else "",
        "place": here[rank.place],
        "priority": f"priority {-rank.priority}" if rank.priority else "",
        "strategy": _drained(rank, now) if policy.strategy is Strategy.DRAIN else "",
        "login": state if each.told.reason == LOGIN_ENDS else "",
    }
    return {field: words for field, words in found.items() if words}


def _drained(rank: Rank, now: float) -> str:
    return (
        f"resets {clock_time(rank.strategy, now)}"
        if math.isfinite(rank.strategy)
        else "says of no window when it resets"
    )
