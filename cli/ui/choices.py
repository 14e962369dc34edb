"""The choice for a conversation in one sentence, and as programs see it."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from accounts.choice import quota
from accounts.choice.explanation import Assessment
from accounts.choice.quota import window_name
from accounts.choice.selection import Choice, Exhausted
from accounts.choice.threads import Placement
from accounts.states import in_words
from accounts.views.choice import ChoiceView
from accounts.views.choice_words import choice_verdict
from cli.ui.bars import in_percent
from cli.ui.lines import plain

LONGEST: Final = 1000


def verdict(view: ChoiceView, now: float) -> str:
    """Who it is, or why nobody."""
    return plain(choice_verdict(view, now), LONGEST)


def used(each: Assessment, now: float) -> str:
    """What is used of each window of an account's own limit."""
    main = [window for window in each.candidate.windows if window.family == quota.MAIN]
    return ", ".join(f"{window_name(w.minutes)} {in_percent(quota.used(w, now)).strip()}" for w in main)


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
