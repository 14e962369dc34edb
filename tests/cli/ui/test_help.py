"""Help has its commands in panels and ends with examples, and fits 80 columns."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from cli.app import build
from cli.commands import PANELS
from cli.ui.examples import EXAMPLES
from cli.ui.help import examples

type Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def paths(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, each in group.commands.items():
        if getattr(each, "commands", None) is not None:
            yield from paths(each, f"{before}{name} ")
        else:
            yield f"{before}{name}", each


def test_the_program_s_help_has_the_panels(run: Run) -> None:
    said = run("--help").out
    assert [panel.heading for panel in PANELS.values() if panel.heading in said] == [p.heading for p in PANELS.values()]
    assert said.index("serve") < said.index("login") < said.index("list ") < said.index("doctor")


def test_the_program_s_help_is_one_line_for_each_command(run: Run) -> None:
    """Whoever looks for a command reads down a column, at 80 columns too."""
    said = run("--help").out.splitlines()
    for panel in PANELS.values():
        for names in panel.modules.values():
            for name, line in names.items():
                assert [each for each in said if f" {name} " in each and line in each], name


def test_every_help_ends_with_its_examples_and_fits(run: Run) -> None:
    """Whole lines: an example that is broken cannot be copied."""
    command: Any = typer.main.get_command(build())
    for name, _ in paths(command):
        lines = run(*name.split(), "--help").out.splitlines()
        assert max(map(len, lines)) <= 80, name
        shown = examples(f"codex-rotate {name}").splitlines()[1:]
        assert lines[-len(shown) :] == shown, name
        assert [line.strip() for line in shown[1:]] == list(EXAMPLES[name])
        assert 1 <= len(EXAMPLES[name]) <= 3


@pytest.mark.parametrize("name", ["tag", "priority", "reserve"])
def test_a_value_that_begins_like_h_is_no_call_for_help(run: Run, name: str) -> None:
    """Where values may begin with a minus only a first word is one: `tag work -h` takes the tag `h` away."""
    assert run(name, "-h").out == run(name, "--help").out
    for value in ("-home", "-h"):
        assert "Usage: " not in run(name, "work", value).out


def test_one_example_is_no_plural() -> None:
    assert examples("codex-rotate status").splitlines()[1] == " Example:"
    assert examples("codex-rotate list").splitlines()[1] == " Examples:"
    assert examples("codex-rotate keys") == ""


def test_sentences_are_not_broken_where_the_source_is(run: Run) -> None:
    """At 200 columns a paragraph of the help is one line."""
    lines = run("help", "check", "--json").json["help"].splitlines()
    command: Any = typer.main.get_command(build(["accounts.check"]))
    assert all("\n" not in part for part in command.commands["check"].help.split("\n\n"))
    assert any("What an answer corrects is corrected" in line for line in lines)
