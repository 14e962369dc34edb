"""What was found, the worst first."""

from addons.dashboard.views.findings import LOOKS, ORDER, ShownFinding, findings_view
from cli.doctor.finding import Severity
from tests.builders import NOW


def test_the_worst_comes_first_with_what_to_do() -> None:
    found = [
        ShownFinding(group="A", state=state, what=f"it is {state}", remedy="Run `fix`.") for state in reversed(ORDER)
    ]
    text = findings_view(found, NOW, NOW)
    places = [text.index(f"it is {state}") for state in ORDER]
    assert places == sorted(places)
    assert "Run <code>fix</code>." in text


def test_every_severity_has_a_colour_and_a_place() -> None:
    assert set(LOOKS) == set(ORDER) == {str(each) for each in Severity}


def test_without_the_commands_there_is_nothing_to_look_with() -> None:
    assert "codex-rotate doctor" in findings_view(None, NOW, NOW)
