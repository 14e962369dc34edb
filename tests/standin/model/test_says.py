"""The model's side of the state."""

from standin.model.chains import START
from standin.model.says import Says

STRAY = {"type": "function_call_output", "call_id": "c", "output": ""}


def test_histories_are_looked_at_when_somebody_wants_it() -> None:
    says = Says()
    assert says.objections(START.then([STRAY])) == []
    says.strict = True
    found = says.objections(START.then([STRAY]))
    assert len(found) == 1
    assert says.violations == found
