"""The turns that are under way, as many as there are."""

from accounts.views.live_turns import LiveTurn
from addons.dashboard.views.turns import MOST, TurnsSeen, turns_view
from tests.builders import NOW


def turn(number: int, **more: object) -> LiveTurn:
    values = {
        "id": f"t{number}",
        "began": NOW - number,
        "account": "ann",
        "model": "gpt-5",
        "project": f"project-{number}",
    }
    return LiveTurn(**(values | more))  # type: ignore[arg-type]


def test_when_nothing_runs_that_is_said() -> None:
    assert "No turn is under way" in turns_view(TurnsSeen(turns=[], now=NOW))


def test_the_oldest_comes_first_with_all_that_is_known_of_it() -> None:
    seen = [
        turn(5),
        turn(
            90,
            rotations=1,
            attempts=2,
            received=123_456,
            first_output=1.25,
            transport="websocket",
            person="kim",
            thread="x",
        ),
    ]
    text = turns_view(TurnsSeen(turns=seen, now=NOW, handles={"ann": "account-1"}))
    assert text.index("project-90") < text.index("project-5")
    for words in (
        "1 min 30 s",
        "1 rotation",
        "123.5 kB",
        "1.2 s",
        "socket",
        "kim",
        "/account/account-1",
        "waiting",
        "/decisions?thread=x",
    ):
        assert words in text


def test_two_hundred_are_shown_and_of_more_their_number() -> None:
    text = turns_view(TurnsSeen(turns=[turn(number) for number in range(200)], now=NOW))
    assert text.count("<tr data-key") == 200
    text = turns_view(TurnsSeen(turns=[turn(number) for number in range(MOST + 7)], now=NOW))
    assert text.count("<tr data-key") == MOST
    assert "7 more are not shown." in text


def test_a_person_sees_no_account() -> None:
    text = turns_view(TurnsSeen(turns=[turn(1, person="kim")], now=NOW, person="kim"))
    assert "ann" not in text
    assert "Account" not in text
