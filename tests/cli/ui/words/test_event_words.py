"""An event is a line of text, whatever is in it."""

import json

from accounts.choice.decision_record import DECISION
from accounts.model import Event
from cli.ui.words.event_words import event_line
from config.times.local_time import clock_time
from tests.builders import NOW

TIME = clock_time(NOW, NOW)


def test_what_happened_to_an_account() -> None:
    event = Event(at=NOW, kind="reserve_changed", key="k", detail="10 %, was 0 %")
    assert event_line(event, {"k": "work"}, NOW) == f"{TIME}  reserve changed  work  10 %, was 0 %"
    assert event_line(Event(at=NOW, kind="removed", key="gone"), {}, NOW) == f"{TIME}  removed"


def test_a_request_goes_from_account_to_account() -> None:
    attempts = [
        {"account": who, "why": "w", "kind": kind, "detail": "", "seconds": 0.2}
        for who, kind in (("ann", "usage_limit"), ("bob", "ok"))
    ]
    detail = json.dumps({"done": "delivered", "model": "gpt", "seconds": 1.31, "attempts": attempts})
    line = event_line(Event(at=NOW, kind=DECISION, detail=detail), {}, NOW)
    assert line == f"{TIME}  gpt: ann usage limit → bob ok; delivered after 1.3 s"


def test_what_would_change_the_terminal_is_not_passed_on() -> None:
    assert event_line(Event(at=NOW, kind="x\x1b[2J", detail="a\nb"), {}, NOW).isprintable()
