"""The lines around the rows, and where somebody is."""

from accounts.states import AccountState, State
from accounts.views.account_list import rows
from cli.top.facts import ShownFacts, ShownPool
from cli.top.keys import View
from cli.top.lines import Pen, text_of
from cli.top.palettes import Palette
from cli.top.preferences import Preferences
from cli.top.screen import Notice, ScreenState, key_line, notice, tabs, title
from tests.builders import NOW, candidate, key_of

STATES = {key_of("ann"): AccountState(State.READY), key_of("bob"): AccountState(State.PAUSED, barred=True)}
POOL = ShownPool(rows=rows([candidate("ann"), candidate("bob")], STATES, NOW), hints=("Do this.",))


def pen(width: int = 80) -> Pen:
    return Pen(width=width, now=NOW)


def test_the_title_counts_who_can_serve_and_with_room_every_state() -> None:
    state = ScreenState(facts=ShownFacts(pool=POOL))
    assert text_of(title(state, pen())).startswith(" codex-rotate  1 of 2 can serve  no proxy runs")
    assert "(1 ready, 1 paused)" in text_of(title(state, pen(140)))


def test_what_is_wrong_is_said_first_then_what_was_done_then_what_to_do() -> None:
    state = ScreenState(facts=ShownFacts(pool=POOL))
    assert text_of(notice(state, pen())[0]).strip() == "Do this."
    state.notice = Notice(text="Done.")
    assert text_of(notice(state, pen())[0]).strip() == "Done."
    state.notice = Notice(text="Done.", until=NOW)
    assert text_of(notice(state, pen())[0]).strip() == "Do this."
    state.facts = ShownFacts(pool=POOL, trouble="The file is gone.")
    assert text_of(notice(state, pen())[0]).startswith(" The file is gone. What is shown")


def test_the_last_line_keeps_the_way_out_however_narrow_it_is() -> None:
    for width in (20, 40, 80, 160):
        line = text_of(key_line(ScreenState(), pen(width)))
        assert "? help  q quit" in line
    assert "o options" in text_of(key_line(ScreenState(), pen(160)))


def test_tabs_mark_the_view_and_say_what_is_out_of_sight() -> None:
    state = ScreenState(facts=ShownFacts(pool=POOL), view=View.HISTORY, only_rotations=True, search="x")
    line = text_of(tabs(state, (3, 9, 40), pen()))
    assert "[History]" in line
    assert "only rotations" in line
    assert "/x" in line
    assert line.rstrip().endswith("3-9 of 40")
    assert "of 9" not in text_of(tabs(state, (1, 9, 9), pen()))


def test_from_a_page_one_comes_back_to_where_one_was() -> None:
    state = ScreenState()
    state.show(View.TURNS)
    state.show(View.HELP)
    state.show(View.CHOICE)
    state.back()
    assert state.view is View.TURNS


def test_options_that_were_not_kept_are_as_before() -> None:
    state = ScreenState(before=Preferences(), wanted=Preferences(palette=Palette.LIGHT), view=View.OPTIONS)
    state.back()
    assert state.wanted == Preferences()
