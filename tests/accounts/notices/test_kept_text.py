"""What happened outlives the proxy, whatever becomes of the file."""

import json

from accounts.notices.conditions import Condition, ConditionName
from accounts.notices.kept_text import as_text, from_text
from accounts.notices.occurrences import Occurrence
from config.notify import NoticeKind
from tests.builders import NOW
from tests.rows import all_rows

LEFT = Occurrence(
    condition=Condition(
        name=ConditionName(NoticeKind.POOL_LEFT, "5"), text="5 % · é", account="work", percent=5, until=NOW + 9
    ),
    since=NOW + 0.123456,
    gone=NOW + 5,
    reached=("command",),
    tries=2,
    next_at=NOW + 60,
    claimed_until=NOW + 70,
)


def test_what_is_kept_comes_back_as_it_was() -> None:
    bare = Occurrence(condition=Condition(name=ConditionName(NoticeKind.POOL_DRY), text="dry"), since=NOW, settled=True)
    assert from_text(as_text([LEFT, bare])) == (LEFT, bare)
    assert from_text(as_text([LEFT]))[0].id == LEFT.id


@all_rows("text", ["", "{", "[]", "null", '{"occurrences": 1}', '{"occurrences": {}}', b"\xff\xfe", "[" * 100_000])
def test_a_damaged_file_holds_nothing(text: str) -> None:
    assert from_text(text) == ()


def test_a_row_that_cannot_be_read_is_left_out() -> None:
    told = json.loads(as_text([LEFT, LEFT, LEFT, LEFT]))
    told["occurrences"][0]["condition"]["name"] = ["of tomorrow", ""]
    told["occurrences"][1]["since"] = None
    told["occurrences"][2] = "x"
    assert from_text(json.dumps(told)) == (LEFT,)
    assert from_text(json.dumps(told).replace("70.0", "NaN")) == ()
