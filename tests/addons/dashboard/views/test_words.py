"""Small pieces."""

from accounts.states import OF_A_REQUEST, State
from addons.dashboard.views.words import LOOKS, ago, bar, percent_of, sentence, size_of, span, windows
from tests.builders import NOW, window
from tests.rows import all_rows


def test_every_state_of_an_account_has_a_colour() -> None:
    assert set(LOOKS) == set(State) - OF_A_REQUEST


def test_commands_in_a_sentence() -> None:
    assert sentence("Run `a <b>` or not.") == "Run <code>a &lt;b&gt;</code> or not."


@all_rows(("percent", "words"), [(0, "0 %"), (0.2, "1 %"), (99.8, "99 %"), (100, "100 %"), (42.4, "42 %")])
def test_nothing_is_rounded_away(percent: float, words: str) -> None:
    assert percent_of(percent) == words


def test_a_bar_is_as_wide_as_its_share_and_says_it() -> None:
    assert 'width="42.0"' in bar(42, "5h: 42 % used")
    assert 'aria-label="5h: 42 % used"' in bar(42, "5h: 42 % used")
    assert "fill full" in bar(96, "")
    assert 'width="0.0"' in bar(0, "")


@all_rows(
    ("seconds", "words"),
    [(0.84, "0.8 s"), (12.4, "12 s"), (185, "3 min 5 s"), (7500, "2 h 5 min"), (3600 * 76, "3 d 4 h")],
)
def test_how_long_something_takes(seconds: float, words: str) -> None:
    assert span(seconds) == words


@all_rows(
    ("at", "words"),
    [(NOW, "just now"), (NOW + 5, "just now"), (NOW - 130, "2 min ago"), (NOW - 90_000, "1 d ago"), (None, "")],
)
def test_how_long_something_is_past(at: float | None, words: str) -> None:
    assert ago(at, NOW) == words


@all_rows(("count", "words"), [(0, "0 B"), (999, "999 B"), (9100, "9.1 kB"), (1_250_000, "1.2 MB")])
def test_bytes(count: int, words: str) -> None:
    assert size_of(count) == words


def test_a_window_without_a_reset_has_no_time() -> None:
    text = windows([window(10, None)], NOW)
    assert "5h: 10 % used" in text
    assert "resets" not in text
