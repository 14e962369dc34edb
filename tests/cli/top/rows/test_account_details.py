"""An account as a page."""

from accounts.states import AccountState, State
from accounts.views.account_list import rows
from accounts.views.live_turns import LiveTurn
from accounts.views.timeline import Rotation
from cli.top.lines import Pen, text_of
from cli.top.rows.account_details import page
from cli.top.rows.account_parts import ShownLoad
from tests.builders import NOW, candidate, key_of, window


def test_a_page_has_everything_of_an_account_and_its_turns() -> None:
    other = window(5, family="spark")
    seat = candidate("ann", tags=("team",), note="mine", windows=(window(40), other))
    (row,) = rows([seat], {key_of("ann"): AccountState(State.PAUSED, barred=True)}, NOW, chosen=key_of("ann"))
    turns = [LiveTurn(id="1", began=NOW, account="ann", model="gpt-5", project="shop")]
    away = Rotation(at=NOW - 60, left="ann", taken="bob", kind="usage_limit", said="429")
    text = "\n".join(
        text_of(each).rstrip() for each in page(row, ShownLoad(1, 0), turns, [away], Pen(width=80, now=NOW))
    )
    for words in (
        "paused",
        "everybody uses it",
        "#team",
        "mine",
        "none lives here",
        "acct-ann",
        "spark 5h",
        "gpt-5 shop",
    ):
        assert words in text
