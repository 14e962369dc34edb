"""A request of the history is the same record for every program."""

from accounts.choice.decision_record import AttemptRow, Record
from accounts.history import Decision
from accounts.views.decisions import decision_data


def test_a_request_with_every_attempt() -> None:
    tried = AttemptRow(account="ann", why="first", kind="usage_limit", detail="d", seconds=0.5)
    record = Record(done="delivered", model="m", seconds=1.0, attempts=(tried,))
    assert decision_data(Decision(at=9.0, thread="t", record=record)) == {
        "at": 9.0,
        "thread": "t",
        "model": "m",
        "done": "delivered",
        "rule": None,
        "seconds": 1.0,
        "attempts": [{"account": "ann", "why": "first", "outcome": "usage_limit", "detail": "d", "seconds": 0.5}],
    }
