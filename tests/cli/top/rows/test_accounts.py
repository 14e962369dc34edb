"""Accounts as lines: what fits, and what gives way."""

from accounts.states import AccountState, State
from accounts.views.account_list import rows
from cli.top.facts import ShownFacts, ShownPool
from cli.top.lines import Pen, Tone, text_of
from cli.top.rows.accounts import listing
from tests.builders import HOUR, NOW, WEEK_MINUTES, candidate, key_of, window
from tests.rows import all_rows

WINDOWS = (window(40), window(99, minutes=WEEK_MINUTES))


READY = AccountState(State.READY)


def facts(label: str = "ann", state: AccountState = READY) -> ShownFacts:
    seat = candidate("ann", label=label, email="ann@example.com", windows=WINDOWS)
    found = rows([seat], {key_of("ann"): state}, NOW, uses={key_of("ann"): NOW - HOUR})
    return ShownFacts(pool=ShownPool(rows=found, homes={key_of("ann"): 12}))


def line(width: int, *, of: ShownFacts | None = None) -> str:
    (item,) = listing(of or facts(), detailed=False).items
    (drawn,) = item.draw(Pen(width=width, now=NOW))
    return text_of(drawn)


@all_rows(
    ("width", "there", "gone"),
    [
        (80, ("40% ", "99% ", " 12"), ("ago",)),
        (72, ("40% ", "99% "), ()),
        (50, ("40%", "99%"), (":",)),
        (34, ("ann",), ("40%",)),
        (150, ("1h ago", " 12", "████"), ()),
    ],
)
def test_what_is_least_needed_gives_way_first(width: int, there: tuple[str, ...], gone: tuple[str, ...]) -> None:
    shown = line(width)
    assert len(shown) == width
    assert all(each in shown for each in ("ann", "ready", *there))
    assert not any(each in shown for each in gone)


def test_a_state_is_told_as_far_as_there_is_room() -> None:
    resting = facts(state=AccountState(State.RESTING, NOW + HOUR, "usage_limit", barred=True))
    assert "resting until" in line(80, of=resting)
    assert "(usage limit)" not in line(80, of=resting)
    assert "(usage limit)" in line(120, of=resting)


def test_a_long_name_is_cut_and_says_so() -> None:
    assert "a-very-lo" in line(80, of=facts("a-very-long-name-of-an-account"))
    assert "…" in line(80, of=facts("a-very-long-name-of-an-account"))


def test_what_is_nearly_used_up_stands_out() -> None:
    (item,) = listing(facts(), detailed=False).items
    (drawn,) = item.draw(Pen(width=80, now=NOW))
    roles = {cell.text.strip(): cell.role for cell in drawn}
    assert roles["99%"] is Tone.BAD
    assert roles["40%"] is Tone.TEXT


def test_in_detail_all_that_is_known_is_told_in_three_lines() -> None:
    (item,) = listing(facts(), detailed=True).items
    lines = [text_of(each) for each in item.draw(Pen(width=80, now=NOW))]
    assert len(lines) == item.height == 3
    assert "12 live here, used 1h ago" in lines[0]
    assert "ann@example.com" in lines[1]
    assert "5h ████░░░░░░  40%" in lines[2]


def test_an_account_is_found_by_its_address_and_its_state() -> None:
    found = listing(facts(), detailed=False)
    assert found.searched("example.com ready").items
    assert not found.searched("paused").items
