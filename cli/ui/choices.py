"""The choice for a conversation in one sentence, and as programs see it."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from accounts.choice.explanation import Assessment, Explanation
from accounts.choice.selection import Choice, Exhausted, Strategy
from accounts.choice.threads import Placement
from accounts.model import Account
from accounts.states import in_words
from accounts.views.choice import ChoiceView
from cli.ui.lines import plain
from config.local_time import clock_time

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


def verdict(view: ChoiceView, now: float) -> str:
    """Who it is, or why nobody."""
    what = "This thread" if view.ask.thread else "A new thread"
    model = f", for {plain(view.ask.model)}," if view.ask.model else ""
    match view.found.choice:
        case Choice(account=account, why=why):
            reason = BY_STRATEGY[view.policy.strategy][0] if why.startswith("strategy") else why
            return f"{what}{model} would go to {plain(account.label)}: {reason}.{_in_vain(account, view.found, now)}"
        case Exhausted(rule=rule, resets_at=resets_at):
            pin, nobody = view.policy.pin, f"Nobody could serve {what.lower()}{model} now."
            absent = pin not in {"", *view.accounts}
            gone = f" {plain(pin)}, the only account that may, is not in the pool." if absent else ""
            if rule in WITHOUT:
                return f"{nobody}{gone} {WITHOUT[rule]}"
            if resets_at is not None:
                return f"{nobody} Wait: the first account is back at {clock_time(resets_at, now)}."
            return f"{nobody} Run `codex-rotate list` to see what each one needs."


def _in_vain(account: Account, found: Explanation, now: float) -> str:
    """What to expect of an account that is chosen although it has little chance: nobody has a better one."""
    told = next(each.told for each in found.assessments if each.candidate.account.key == account.key)
    return "" if told.serves else f" The provider will hardly serve it: {in_words(told, now)}."


def as_data(view: ChoiceView, now: float) -> dict[str, object]:
    """Times are seconds since the epoch."""
    policy, place = view.policy, view.place
    return {
        "thread": view.ask.thread or None,
        "model": view.ask.model or None,
        "place": {name: view.label(key) for name, key in asdict(place).items()} if place != Placement() else None,
        "policy": {
            "strategy": str(policy.strategy),
            "only": view.label(policy.pin) or policy.pin or None,
            "defer_percent": policy.defer_percent,
            "drop_compaction": policy.drop_compaction,
        },
        "choice": _choice_data(view.found.choice),
        "candidates": [_assessment_data(each, view.numbers, now) for each in view.found.assessments],
    }


def _choice_data(choice: Choice | Exhausted) -> dict[str, object]:
    if isinstance(choice, Choice):
        return {"account": choice.account.label, "why": choice.why}
    return {
        "account": None,
        "resets_at": choice.resets_at,
        "limited": choice.limited,
        "rule": choice.rule or None,
        "reasons": dict(choice.reasons),
    }


def _assessment_data(each: Assessment, numbers: Mapping[str, int], now: float) -> dict[str, object]:
    barred, candidate = each.barred, each.candidate
    return {
        "number": numbers.get(candidate.account.key),
        "account": candidate.account.label,
        "plan": candidate.account.plan,
        "state": str(each.told.state),
        "state_in_words": in_words(each.told, now),
        "barred": {"by": str(barred.bar), "text": barred.text, "until": barred.until} if barred else None,
        "rank": {name: _finite(value) for name, value in each.rank._asdict().items()} if each.rank else None,
        "score": each.score,
        "cooldown": asdict(candidate.cooldown) if candidate.cooldown else None,
        "windows": [asdict(window) for window in candidate.windows],
        "refused_models": sorted(candidate.refuses),
    }


def _finite(value: object) -> object:
    """JSON has no infinity: what never comes is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
