"""What is told of one request to the model."""

import json

from standin.model import Attempt, End
from standin.model.chains import START

ITEM = {"type": "message", "role": "user", "content": "secret"}


def test_the_whole_input_is_there_and_not_shown() -> None:
    attempt = Attempt(number=1, account_id="acc-1", warm_up=False, asked=START.then([ITEM]), end=End.DIED, why="reset")
    assert attempt.input == (ITEM,)
    assert "secret" not in json.dumps(attempt.shown()) + repr(attempt)
    assert attempt.shown() | {"end": "died", "why": "reset"} == attempt.shown()
