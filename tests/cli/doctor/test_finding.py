"""A finding is one sentence of what is and one of what to do."""

from cli.doctor.finding import Severity, note, ok, problem, told, warning


def test_an_error_of_ours_is_split_before_its_remedy() -> None:
    found = told("x", "a.b is not there. It never was. Make it.")
    assert (found.what, found.remedy, found.state) == ("a.b is not there. It never was.", "Make it.", Severity.PROBLEM)


def test_an_error_of_one_sentence_has_no_remedy() -> None:
    assert (told("x", "Nothing.").what, told("x", "Nothing.", Severity.NOTE).remedy) == ("Nothing.", "")


def test_the_short_words() -> None:
    found = [ok("n", "w"), note("n", "w"), warning("n", "w", "r"), problem("n", "w", "r")]
    assert [each.state for each in found] == list(Severity)
    assert [each.remedy for each in found] == ["", "", "r", "r"]
