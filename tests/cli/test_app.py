"""The edge: what is expected ends in one line and its exit code, what is not keeps its traceback."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.store.store import Store
from cli.commands.see import list as list_commands

type Run = Callable[..., Any]
type Fill = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("word", ["--version", "-V", "version"])
def test_version(run: Run, word: str) -> None:
    """One line, or one JSON value."""
    assert run(word).out.startswith("codex-rotate ")
    assert run(word, "--json").json.keys() == {"version"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("keys",), "`codex-rotate keys list`"),
        (("lst",), "No such command 'lst'"),
        (("list", "--nope"), "--nope"),
        (("import",), "PATH"),
        (("import", "x", "--routing-override", "eu"), "us_cr"),
        (("remove", "nobody"), "There is no account 'nobody'"),
    ],
)
def test_wrong_usage(run: Run, words: tuple[str, ...], said: str) -> None:
    """Exit code 2: one line on stderr that says where to look, or one JSON value on stdout."""
    ran = run(*words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err
    assert "codex-rotate " in ran.err.removeprefix("codex-rotate: ")
    ran = run(*words, "--json")
    assert (ran.code, ran.err, ran.json["exit_code"]) == (2, "", 2)
    assert said in ran.json["error"]


def test_help_names_every_command(run: Run) -> None:
    """Help is on stdout, exit code 0, and every command has --json."""
    ran = run("--help")
    assert ran.code == 0
    for name in ("login", "logout", "import", "list", "remove", "status", "script"):
        assert name in ran.out
        assert "--json" in run(name, "--help").out


@pytest.mark.parametrize("words", [("list",), ("keys", "add"), ("backup", "restore"), ("run",), ("config",), ()])
def test_help_has_a_short_form(run: Run, words: tuple[str, ...]) -> None:
    """Everywhere, and it is the same."""
    short = run(*words, "-h")
    assert (short.code, short.err) == (0, "")
    assert short.out == run(*words, "--help").out
    assert "Usage: " in short.out


def test_help_before_a_command_is_that_of_the_program(run: Run) -> None:
    """Whole, and not as if that command were the only one."""
    assert run("--help", "list").out == run("--help").out


def test_an_unusable_home_is_told_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By every command that needs it, with exit code 2, and nothing is made; help and the version need none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODEX_ROTATE_HOME", "pool")
    before = sorted(tmp_path.iterdir())
    for words in ((), ("list",), ("config", "path"), ("doctor",), ("run", "sh"), ("ca", "create")):
        ran = run(*words)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert str(tmp_path / "pool") in ran.err
        assert run(*words[:1], "--json", *words[1:]).json["exit_code"] == 2
    for words in (("--help",), ("version",), ("list", "-h")):
        assert run(*words).code == 0
    assert sorted(tmp_path.iterdir()) == before


def test_programs_that_a_command_starts_are_given_whole_paths(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They may run in another folder, as the proxy in the background does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODEX_HOME", "codex here")
    run("version")
    assert os.environ["CODEX_HOME"] == str(tmp_path / "codex here")


def test_what_cannot_be_read_fails(run: Run, home: Path) -> None:
    """A damaged database is an expected failure: exit code 1, no traceback."""
    home.mkdir()
    (home / "pool.db").write_bytes(b"not a database" * 99)
    ran = run("list")
    assert (ran.code, ran.out) == (1, "")
    assert "left untouched" in ran.err
    assert run("list", "--json").json["exit_code"] == 1


def test_a_bug_keeps_its_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only expected errors are turned into a line."""

    def broken(store: Store, now: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(list_commands, "list_accounts", broken)
    with pytest.raises(ZeroDivisionError):
        run("list")


def test_being_interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is no bug."""

    def interrupted(store: Store, now: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(list_commands, "list_accounts", interrupted)
    ran = run("list")
    assert (ran.code, ran.err) == (130, "codex-rotate: Stopped before it was done. Run it again.\n")


def test_a_reader_that_has_seen_enough(fill: Fill) -> None:
    """`codex-rotate list | head -1` ends quietly."""
    fill("ann")
    reading, writing = os.pipe()
    os.close(reading)
    code = "from cli.app import main; raise SystemExit(main(['list']))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_refused_argument_is_not_repeated_with_its_password(run: Run, form: list[str]) -> None:
    """An address in the wrong place may have one, whatever the command."""
    for words in (["list", "http://ann:s3cret@h"], ["http://ann:s3cret@h"], ["list", "https://a:s3/cr@et@h:1", "x"]):
        ran = run(*words, *form)
        assert ran.code == 2
        assert "s3" not in ran.out + ran.err
        assert "://***@h" in ran.out + ran.err
