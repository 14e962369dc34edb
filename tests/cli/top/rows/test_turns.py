"""Turns under way: which come first, and what is remarkable of one."""

from accounts.views.live_turns import LiveTurn
from cli.top.facts import ProxyFacts, ShownFacts
from cli.top.lines import Pen, Tone, text_of
from cli.top.rows.turns import NO_PROXY, NO_TURNS, age, listing, page
from tests.builders import NOW
from tests.rows import all_rows

PEN = Pen(width=80, now=NOW)


def told(*turns: LiveTurn) -> ShownFacts:
    return ShownFacts(proxies=ProxyFacts(urls=("http://127.0.0.1:1",), turns=turns))


def test_the_oldest_is_on_top_and_one_that_waits_long_stands_out() -> None:
    old = LiveTurn(id="old", began=NOW - 60, account="ann", model="gpt-5", transport="http")
    new = LiveTurn(id="new", began=NOW - 2, person="bob", received=5)
    items = listing(told(new, old)).items
    assert [each.key for each in items] == ["old", "new"]
    (line,) = items[0].draw(PEN)
    assert {cell.role for cell in line if "waits" in cell.text} == {Tone.WARN}
    (line,) = items[1].draw(PEN)
    assert {cell.role for cell in line if "waits" in cell.text} == {Tone.DIM}
    assert "nobody yet" in text_of(line)


def test_no_turn_is_something_else_than_no_proxy() -> None:
    assert listing(told()).empty == NO_TURNS
    assert listing(ShownFacts()).empty == NO_PROXY


@all_rows(
    ("seconds", "shown"),
    [(-5, "0s"), (0.9, "0s"), (59, "59s"), (75, "1m10"), (601, "10m"), (3599, "59m"), (7300, "2h")],
)
def test_an_age_changes_less_often_the_older_it_is(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_a_page_has_all_of_a_turn() -> None:
    turn = LiveTurn(id="1", began=NOW - 5, thread="t-1", account="ann", attempts=3, rotations=1, received=12345)
    text = "\n".join(text_of(line) for line in page(turn, PEN))
    for words in ("3 times, 1 rotation", "12,345 bytes", "t-1", "none yet", "you"):
        assert words in text
