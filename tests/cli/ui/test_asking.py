"""Who answers depends on whether anybody can."""

import io

import pytest

from accounts.errors import InputNeeded
from cli.ui.asking import NoAsking, SaidYes, TerminalAsker, asker


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False), ("maybe\n", False)],
)
def test_the_person_at_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, answer: bool
) -> None:
    """Only yes is yes, and the question does not mix with the answer of the command."""
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert TerminalAsker().confirm("Really?", "--yes") is answer
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Really? [y/N] ")


def test_a_question_that_needs_no_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody at the terminal may press Enter, or be gone; nobody else is asked, and no pipe is read."""
    monkeypatch.setattr("sys.stdin", Terminal(" 2 \n\n"))
    person = TerminalAsker()
    assert person.there
    assert [person.answer("Which?") for _ in range(3)] == ["2", "", ""]
    assert capsys.readouterr() == ("", "Which? " * 3)
    piped = io.StringIO("2\n")
    monkeypatch.setattr("sys.stdin", piped)
    for nobody in (NoAsking(), SaidYes()):
        assert (nobody.there, nobody.answer("Which?")) == (False, "")
    assert (piped.tell(), capsys.readouterr()) == (0, ("", ""))


def test_nobody_is_there() -> None:
    """The option that answers is named."""
    with pytest.raises(InputNeeded, match=r"Really\? .*--yes"):
        NoAsking().confirm("Really?", "--yes")


def test_the_right_one_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line beats the terminal; a pipe cannot be asked."""
    assert isinstance(asker(yes=True), SaidYes)
    assert asker(yes=True).confirm("Really?", "--yes") is True
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    monkeypatch.setattr("sys.stderr", Terminal())
    assert isinstance(asker(yes=False), NoAsking)
    monkeypatch.setattr("sys.stdin", Terminal())
    assert isinstance(asker(yes=False), TerminalAsker)


def test_a_line_of_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A person is asked; a pipe is read without a question; no line, or nobody who sees the question, is an error."""
    monkeypatch.setattr("sys.stdin", Terminal(" typed \n"))
    assert TerminalAsker().line("Which?", "--device") == "typed"
    assert capsys.readouterr() == ("", "Which? ")
    monkeypatch.setattr("sys.stdin", io.StringIO("piped\nmore\n"))
    assert NoAsking().line("Which?", "--device") == "piped"
    for stdin in (io.StringIO(""), Terminal("typed\n")):
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(InputNeeded, match=r"Which\? .*--device"):
            NoAsking().line("Which?", "--device")
    with pytest.raises(InputNeeded):
        SaidYes().line("Which?", "--device")
    assert capsys.readouterr() == ("", "")
