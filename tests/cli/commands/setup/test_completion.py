"""`completion` prints what a shell needs, and the shell gets words: commands, options, settings, accounts."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from accounts.model import Affinity
from accounts.store.store import Store
from cli import app
from cli.commands.setup.completion import _SCRIPTS, words
from cli.commands.setup.env import Shell
from tests import warm

type Run = Callable[..., Any]
type Fill = Callable[..., Any]
type Tab = Callable[..., list[str]]

ROOT = Path(__file__).resolve().parents[4]
SHELLS = ("bash", "zsh", "fish", "powershell")
TAB = """
set -eu
source <("$1" completion --shell bash)
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
set +e
_codex_rotate_completion "$PROGRAM"
for word in "${COMPREPLY[@]}"; do echo "$word"; done
"""
FISH = "codex-rotate completion --shell fish | source; complete -C 'codex-rotate lo'"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A codex-rotate to start by its name, of this clone."""
    folder = tmp_path / "bin"
    folder.mkdir()
    warm.put_programs(folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "codex-rotate"


@pytest.fixture
def tab(program: Path, monkeypatch: pytest.MonkeyPatch) -> Tab:
    """What bash has for the last of these words."""
    if os.name != "posix" or shutil.which("bash") is None:
        pytest.skip("there is no bash")
    monkeypatch.setenv("PROGRAM", str(program))

    def complete(*line: str) -> list[str]:
        command = ["bash", "-c", TAB, "tab", str(program), "codex-rotate", *line]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr == ""
        return done.stdout.split("\n")[:-1]

    return complete


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_a_script(run: Run, shell: str) -> None:
    """It asks this program, in the variable that the program looks for, and meddles with nothing else."""
    ran = run("completion", "--shell", shell)
    assert (ran.code, ran.err) == (0, "")
    assert f"{app.COMPLETING}" in ran.out
    assert f"complete_{shell}" in ran.out
    assert "Set-PSReadLineKeyHandler" not in ran.out
    assert run("completion", "--shell", shell, "--json").json == {"shell": shell, "script": ran.out.removesuffix("\n")}


def test_the_shells_are_those_that_have_a_script() -> None:
    assert set(_SCRIPTS) == set(Shell) == set(SHELLS)


def test_the_shell_is_the_users(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert run("completion", "--json").json["shell"] == "fish"
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    ran = run("completion")
    assert (ran.code, "Add --shell" in ran.err) == (2, True)


def test_bash_completes_commands_and_options(tab: Tab) -> None:
    """Of the whole program, of a group, and what can be counted."""
    assert {"list", "login", "config", "completion"} <= set(tab(""))
    assert set(tab("log")) == {"login", "logout"}
    assert "show" in tab("config", "")
    assert tab("list", "--js") == ["--json"]
    assert tab("completion", "--shell", "z") == ["zsh"]
    assert tab("config", "set", "str") == ["strategy"]
    assert tab("config", "set", "strategy", "") == ["balanced", "drain", "round_robin", "pinned"]
    assert tab("config", "get", "park_seconds", "") == []


def test_bash_completes_accounts(tab: Tab, fill: Fill, home: Path) -> None:
    """In whatever command; a label that a shell would take apart is left out, and nothing is left behind."""
    fill("ann", "anna@example.com", "team 1", "$(touch x)", "*")
    before = sorted(home.iterdir())
    assert tab("remove", "") == ["ann", "anna@example.com"]
    assert tab("logout", "anna") == ["anna@example.com"]
    assert tab("run", "--account", "an") == ["ann", "anna@example.com"]
    assert sorted(home.iterdir()) == before


def test_completion_makes_no_pool_and_minds_no_damage(tab: Tab, home: Path) -> None:
    """Tab has no errors to show."""
    assert tab("remove", "") == []
    assert not home.exists()
    home.mkdir()
    (home / "pool.db").write_bytes(b"not a database" * 99)
    assert tab("remove", "") == []
    (home / "config.toml").write_text("strategy =")
    assert tab("config", "get", "str") == ["strategy"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("use", ["ann", "bob"]),
        ("pause ann", ["ann", "bob"]),
        ("resume", ["ann", "bob"]),
        ("label", ["ann", "bob"]),
        ("tag", ["ann", "bob"]),
        ("tag ann", ["+team", "team"]),
        ("tag ann --remove", ["team"]),
        ("priority", ["ann", "bob"]),
        ("reserve", ["ann", "bob"]),
        ("export", ["ann", "bob"]),
        ("verify", ["ann", "bob"]),
        ("check", ["ann", "bob"]),
        ("logout", ["ann", "bob"]),
        ("sync push", ["ann", "bob"]),
        ("why --thread", ["0199-a"]),
        ("backup restore", ["before-cleanup"]),
        ("keys remove", ["laptop"]),
        ("help backup", ["create", "list", "restore"]),
        ("config get", ["strategy"]),
    ],
)
def test_names_that_are_known(
    run: Run, fill: Fill, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    line: str, found: list[str],
) -> None:  # fmt: skip
    """Wherever a command takes one: accounts, tags, conversations, backups, keys, settings, commands."""
    fill("ann", "bob")
    for before in ("tag ann team", "backup create before-cleanup", "keys add laptop"):
        assert run(*before.split()).code == 0
    with Store(home / "pool.db") as store:
        store.save_affinity(Affinity(thread="0199-a", key=store.accounts()[0].key, used_at=1.0))
    sign = "+" if "+team" in found else ""
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"codex-rotate {line} {sign}")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TYPER_COMPLETE_WORD_TO_COMPLETE", sign)
    monkeypatch.setenv(app.COMPLETING, "complete_fish")
    capsys.readouterr()
    with pytest.raises(SystemExit):
        run()
    said = [each.split("\t")[0] for each in capsys.readouterr().out.split()]
    assert {each for each in found if each.startswith(sign)} <= set(said)
    if "config" not in line:
        assert {each for each in said if not each.startswith("-")} <= set(found)


def test_every_parameter_that_names_something_known_completes_it() -> None:
    """By what such parameters are called; a new one is to be looked at here."""
    known = {"account", "accounts", "thread", "key", "words"}

    def naming(command: Any, path: str = "") -> set[str]:
        found = {path.strip() for each in command.params if each.name in known}
        for name, each in getattr(command, "commands", {}).items():
            found |= naming(each, f"{path} {name}")
        return found

    found = naming(typer.main.get_command(app.build()))
    assert found == {
        *("remove", "logout", "export", "run", "sync push", "use", "pause", "resume", "label", "tag", "priority"),
        *("reserve", "verify", "check", "why", "help", "usage", "people add", "people set"),
        *(f"config {each}" for each in ("explain", "get", "set", "unset")),
    }


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, []),
        ({"COMP_WORDS": "codex-rotate\n"}, []),
        ({"COMP_WORDS": "codex-rotate\nli"}, []),
        ({"COMP_WORDS": "codex-rotate\nlist"}, []),
        ({"COMP_WORDS": "codex-rotate\nlist\n"}, ["list"]),
        ({"_TYPER_COMPLETE_ARGS": "codex-rotate config g"}, ["config"]),
        ({"_TYPER_COMPLETE_ARGS": ""}, []),
    ],
)
def test_the_word_that_is_being_written_chooses_nothing(environ: dict[str, str], found: list[str]) -> None:
    """`list` may still become another command."""
    assert words(environ) == found


def test_answering_a_shell_stays_light(fill: Fill) -> None:
    """With every command known: no proxy, no HTTP client, no cryptography, no settings."""
    fill("ann")
    code = (
        "import atexit, sys; from cli.app import main\n"
        "heavy = {'mitmproxy', 'httpx', 'cryptography', 'jwt', 'msgspec', 'tomlkit', 'asyncio'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "main([])"
    )
    for line in ("codex-rotate\nremove\n", "codex-rotate\n"):
        environ = os.environ | {
            "COMP_WORDS": line,
            "COMP_CWORD": str(line.count("\n")),
            app.COMPLETING: "complete_bash",
        }
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=True)
        assert ("ann" if "remove" in line else "list") in done.stdout.split()
        assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("shell", "extra"), [("zsh", ["-n"]), ("fish", ["--no-execute"])])
def test_other_shells_can_read_their_script(run: Run, tmp_path: Path, shell: str, extra: list[str]) -> None:
    """Where they are installed."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"there is no {shell}")
    script = tmp_path / "script"
    script.write_text(run("completion", "--shell", shell).out)
    assert subprocess.run([found, *extra, str(script)], timeout=60, check=False).returncode == 0


def test_fish_completes(program: Path) -> None:
    found = shutil.which("fish")
    if found is None:
        pytest.skip("there is no fish")
    done = subprocess.run([found, "-c", FISH], capture_output=True, text=True, timeout=60, check=True)
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == {"login", "logout"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_its_words(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    """As each one asks for them; bash in a variable of its own."""
    monkeypatch.setenv("COMP_WORDS" if shell == "bash" else "_TYPER_COMPLETE_ARGS", "codex-rotate lo")
    monkeypatch.setenv("COMP_CWORD", "1")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TYPER_COMPLETE_WORD_TO_COMPLETE", "lo")
    monkeypatch.setenv(app.COMPLETING, f"complete_{shell}")
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "login" in said
    assert "logout" in said
    assert "list" not in said
