"""A command starts with what it needs: its own module, and no library that it does not use."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import build, needed
from cli.commands import COMMANDS
from tests.rows import all_rows

type Fill = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"mitmproxy", "httpx", "cryptography", "jwt", "msgspec", "tomlkit", "asyncio", "rich", "ssl", "http.client"}
LIMIT = 280
"""Modules of a light command, the standard library's included. Python itself and Typer are about 170 of them."""
LOOK = """
import json, sys
from codex_rotate import claim_names
claim_names()
from cli.app import main
code = main(sys.argv[1:])
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
raise SystemExit(code)
"""


@cache
def loaded(*words: str) -> frozenset[str]:
    """The modules that a command has loaded at its end, in a process of its own."""
    command = [sys.executable, "-c", LOOK, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    told = done.stderr.splitlines()[-1]
    assert told.startswith("["), done.stderr
    return frozenset(json.loads(told))


@all_rows("module", COMMANDS)
def test_the_table_says_what_each_module_adds(module: str) -> None:
    """No name is missing, or a command would be unknown although it is there."""
    command = typer.main.get_command(build([module]))
    assert tuple(sorted(command.commands)) == tuple(sorted(COMMANDS[module]))  # type: ignore[attr-defined]


def test_no_command_is_added_twice() -> None:
    names = [name for names in COMMANDS.values() for name in names]
    assert len(names) == len(set(names))


def test_every_module_with_commands_is_in_the_table() -> None:
    """A module whose commands belong to another one's group is the exception."""
    folder = ROOT / "cli" / "commands"
    there = {f"{path.parent.name}.{path.stem}" for path in folder.glob("*/*.py") if path.stem != "__init__"}
    assert there - COMMANDS.keys() == {"setup.trust"}


@all_rows(
    ("arguments", "modules"),
    [
        (["list"], ("see.list",)),
        (["--json", "list", "remove"], ("see.list",)),
        (["ca", "--help"], ("setup.ca",)),
        (["--version"], ()),
        (["--version", "--json"], ()),
        (["list", "--version"], ("see.list",)),
        ([], ()),
        (["--json"], ()),
        (["--help"], tuple(COMMANDS)),
        (["-h"], tuple(COMMANDS)),
        (["--help", "list"], tuple(COMMANDS)),
        (["lst"], tuple(COMMANDS)),
        (["help"], tuple(COMMANDS)),
        (["help", "lst"], tuple(COMMANDS)),
        (["help", "list"], ("see.list", "more.help")),
    ],
)
def test_which_modules_are_needed(arguments: list[str], modules: tuple[str, ...]) -> None:
    """That of the command; all of them for help, and for the nearest name of a command that there is not."""
    assert needed(arguments) == modules


@all_rows(
    ("words", "uses"),
    [
        ((), set[str]()),
        (("--version",), set[str]()),
        (("list",), set[str]()),
        (("list", "--json"), set[str]()),
        (("script",), set[str]()),
        (("remove", "x", "--yes"), set[str]()),
        (("pause", "x"), set[str]()),
        (("ca", "path"), {"cryptography"}),
        (("config", "path"), set[str]()),
        (("status",), {"msgspec", "asyncio", "ssl", "http.client"}),
        (("config", "show"), {"msgspec", "asyncio", "ssl", "rich"}),
    ],
)
def test_a_command_loads_what_it_uses(words: tuple[str, ...], uses: set[str]) -> None:
    """Of what takes a while: settings need pydantic, which brings asyncio, and tables need rich."""
    assert HEAVY & loaded(*words) <= uses


@all_rows("words", [(), ("--version",), ("list",), ("script",), ("config", "path")])
def test_a_light_command_stays_light(words: tuple[str, ...]) -> None:
    assert len(loaded(*words)) <= LIMIT


def test_a_table_loads_what_draws_it(fill: Fill) -> None:
    """And nothing else that is heavy; programs are not shown a table."""
    fill("ann")
    code = LOOK
    for words, uses in ((["list"], {"rich"}), (["list", "--json"], set())):
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert "ann" in done.stdout
        assert HEAVY & set(json.loads(done.stderr.splitlines()[-1])) == uses


@pytest.mark.parametrize("words", [("list",), ("--version",), ("script",)])
def test_no_command_pays_for_another_one(words: tuple[str, ...]) -> None:
    """Of the modules with commands only that of the command itself, and of those beside it none that has a server, a
    client or a demo in it."""
    ours = {name.removeprefix("cli.") for name in loaded(*words) if name.startswith("cli.")}
    own = set(needed(words)) | ({"more.version"} if words == ("--version",) else set())
    assert {name.removeprefix("commands.") for name in ours if re.fullmatch(r"commands\.\w+\.\w+", name)} <= own
    assert not ours & {"login.http", "login.server", "demo.play", "doctor.checks"}
    assert not [name for name in loaded(*words) if name.split(".")[0] in {"addons", "standin"}]
