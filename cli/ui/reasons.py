"""What is used of an account, beside the reasons for and against it."""

from accounts.choice import quota
from accounts.choice.explanation import Assessment
from accounts.choice.quota import window_name
from cli.ui.bars import in_percent


def used(each: Assessment, now: float) -> str:
    """What is used of each window of the account's own limit."""
    main = [window for window in each.candidate.windows if window.family == quota.MAIN]
    return ", ".join(f"{window_name(w.minutes)} {in_percent(quota.used(w, now)).strip()}" for w in main)
