"""A bar and a percentage never say more than is so: nothing is empty, all is full, and the rest is in between."""

from accounts.choice.quota import window_name
from cli.ui.bars import MARK, bar, can_show, in_ascii, in_percent
from tests.rows import all_rows


@all_rows(
    ("percent", "drawn"),
    [
        (0, "░░░░░"),
        (0.1, "█░░░░"),
        (50, "██░░░"),
        (60, "███░░"),
        (99.9, "████░"),
        (100, "█████"),
        (250, "█████"),
        (-3, "░░░░░"),
    ],
)
def test_bars(percent: float, drawn: str) -> None:
    """Only nothing is an empty bar and only all of it a full one; what cannot be is not drawn beyond its ends."""
    assert bar(percent, 5) == drawn


@all_rows(
    ("percent", "shown"), [(0, "  0 %"), (0.2, "  1 %"), (8.4, "  8 %"), (99.6, " 99 %"), (100, "100 %"), (-1, "  0 %")]
)
def test_percentages_line_up_and_are_not_rounded_to_the_ends(percent: float, shown: str) -> None:
    assert in_percent(percent) == shown


@all_rows(("minutes", "name"), [(300, "5h"), (10_080, "7d"), (1440, "1d"), (43_200, "30d"), (90, "90m"), (1, "1m")])
def test_a_window_is_called_by_its_length(minutes: int, name: str) -> None:
    assert window_name(minutes) == name


def test_ascii_has_the_same_width_and_leaves_names_alone() -> None:
    drawn = f"{MARK} {bar(40, 5)}"
    assert in_ascii(drawn) == "> ##..."
    assert in_ascii("a → b: 日本 ü") == "a -> b: 日本 ü"


@all_rows(
    ("encoding", "can"),
    [("utf-8", True), ("ascii", False), ("latin-1", False), ("cp1252", False), (None, False), ("?", False)],
)
def test_which_terminals_can_show_a_bar(encoding: str | None, can: bool) -> None:
    assert can_show(encoding) is can
