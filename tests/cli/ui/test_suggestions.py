"""What is refused is told with what was probably meant, and what is suggested exists."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from cli.app import build
from cli.ui.suggestions import INSTEAD, OPTIONS, VERBS, WORDS, likely, listed

type Run = Callable[..., Any]


@pytest.fixture(scope="module")
def program() -> Any:
    return typer.main.get_command(build())


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in group.commands.items():
        yield (*path, name), each
        if getattr(each, "commands", None) is not None:
            yield from commands(each, (*path, name))


def options_of(program: Any, command: str) -> set[str]:
    found = dict(commands(program))[tuple(command.split())]
    return {option for each in found.params for option in each.opts} | {"-h", "--help"}


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("add", ["login", "import FILE"]),
        ("switch work", ["use ACCOUNT"]),
        ("ls", ["list"]),
        ("rm work", ["remove ACCOUNT"]),
        ("start", ["run codex", "serve"]),
        ("auth", ["login", "list"]),
        ("whoami", ["list", "sync status"]),
        ("logs", ["events", "why --last 5"]),
        ("dashboard", ["open", "top", "serve --web"]),
        ("codex", ["run codex"]),
        ("kill", ["stop"]),
        ("restart", ["stop", "serve"]),
        ("LS", ["list"]),
        ("lst", ["list"]),
        ("restore x", ["backup restore"]),
        ("keys rm bob", ["keys remove"]),
        ("keys create bob", ["keys add"]),
        ("backup add", ["backup create"]),
        ("ca show", ["ca status"]),
        ("config lst", ["config set"]),
        ("config unst x", ["config unset"]),
        ("zzzzzz", []),
    ],
)
def test_a_word_that_is_no_command(run: Run, line: str, meant: list[str]) -> None:
    ran = run(*line.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    asked = re.findall(r"`codex-rotate ([^`]*)`", ran.err)
    assert [each for each in asked if not each.endswith("--help")] == meant
    assert run(*line.split(), "--json").json["exit_code"] == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("serve --port 9000", "Did you mean `--listen 127.0.0.1:9000`?"),
        ("serve --port=9000", "Did you mean `--listen 127.0.0.1:9000`?"),
        ("serve --port", "Did you mean `--listen 127.0.0.1:PORT`?"),
        ("serve --port nine", "Did you mean `--listen 127.0.0.1:PORT`?"),
        ("serve --host 0.0.0.0", "Did you mean `--listen 0.0.0.0:8118`?"),
        ("env --port 9000", "Did you mean `--proxy http://127.0.0.1:9000`?"),
        ("login --name work", "Did you mean `--label work`?"),
        ("login --name sk-s3cret/x", "Did you mean `--label NAME`?"),
        ("run --proxy http://x:1 codex", "`run` finds the proxy that runs, or starts one."),
        ("run -m gpt codex", "`codex-rotate run codex -m NAME`"),
        ("resume --last", "`codex-rotate run codex resume --last`"),
        ("list --zzz", "No such option: --zzz. See `codex-rotate list --help`."),
        ("list --jso", "Did you mean `--json`?"),
        ("list -o json", "Did you mean `--json`?"),
        ("list --home /x", "CODEX_ROTATE_HOME names the folder of the pool."),
        ("--live check", "Options come after the command: `codex-rotate check --live`."),
        ("--nope check", "No such option: --nope. See `codex-rotate --help`."),
        ("debug bundle -o x.zip", "Did you mean `--out FILE`?"),
    ],
)
def test_an_option_that_there_is_not(run: Run, line: str, said: str) -> None:
    ran = run(*line.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "pause",
            "Missing argument 'accounts'. For example: `codex-rotate pause work`. See `codex-rotate pause --help`.",
        ),
        ("export work", "Missing option '--out'. For example: `codex-rotate export work --out work.json`."),
        ("keys remove", "For example: `codex-rotate keys remove bob`."),
    ],
)
def test_what_is_missing_is_shown(run: Run, line: str, said: str) -> None:
    ran = run(*line.split())
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert said in ran.err


def test_a_value_that_is_refused_has_no_example(run: Run) -> None:
    """The message says what it may be."""
    assert "For example" not in run("import", "x", "--routing-override", "eu").err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("login work", "(work). Did you mean `--label work`?"),
        ("serve 9000", "(9000). Did you mean `--listen 127.0.0.1:9000`?"),
        ("serve nine", "(nine). See `codex-rotate serve --help`."),
        ("list work", "(work). See `codex-rotate list --help`."),
        ("work list", "The command comes first: `codex-rotate list`, then 'work'."),
        ("http://a:s3cret@b list", "then 'http://***@b'."),
    ],
)
def test_a_word_in_the_wrong_place(run: Run, line: str, said: str) -> None:
    ran = run(*line.split())
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert said in ran.err


def test_an_empty_word_is_told_as_one(run: Run) -> None:
    """A variable of the shell's that was not set."""
    assert run("").err == "codex-rotate: No such command ''. See `codex-rotate --help`.\n"


def test_a_group_alone_says_what_is_in_it(run: Run) -> None:
    said = run("keys").err
    assert "`codex-rotate keys add`, " in said
    assert said.endswith("or `codex-rotate keys remove`. See `codex-rotate keys --help`.\n")


def test_what_is_suggested_exists(program: Any) -> None:
    """Commands of the tables are commands, and their options are options of theirs."""
    there = {" ".join(path) for path, _ in commands(program)}
    for suggested in {each for several in WORDS.values() for each in several}:
        words = suggested.split()
        command = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in there), words[0])
        assert command in there
        assert {word for word in words if word.startswith("--")} <= options_of(program, command)
    for (command, wrong), right in OPTIONS.items():
        assert wrong not in options_of(program, command)
        assert right.partition(" ")[0] in options_of(program, command)
    for command, wrong in INSTEAD:
        assert not command or wrong not in options_of(program, command)


def test_no_guess_is_for_what_is_there(program: Any) -> None:
    assert not WORDS.keys() & set(program.commands)
    groups = [each for path, each in commands(program) if getattr(each, "commands", None)]
    assert not [word for word in VERBS if not any(VERBS[word] in each.commands for each in groups)]


def test_a_command_that_is_not_there_is_not_suggested(program: Any) -> None:
    for word, meant in WORDS.items():
        for each in likely(word, (), program):
            assert each.split()[0] in program.commands
            assert each in meant


def test_alternatives_in_a_sentence() -> None:
    assert [listed(each) for each in (["a"], ["a", "b"], ["a", "b", "c"], [])] == ["a", "a or b", "a, b or c", ""]
