"""A request of the history, for programs."""

from accounts.history import Decision


def decision_data(decision: Decision) -> dict[str, object]:
    """A decision record for programs."""
    told = decision.record
    return {
        "at": decision.at,
        "thread": decision.thread,
        "model": told.model,
        "done": told.done,
        "rule": told.rule or None,
        "seconds": told.seconds,
        "attempts": [
            {"account": e.account, "why": e.why, "outcome": e.kind, "detail": e.detail, "seconds": e.seconds}
            for e in told.attempts
        ],
    }
