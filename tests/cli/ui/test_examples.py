"""The examples that help ends with work as they stand: each is run in a world of its own."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import build
from cli.ui.examples import EXAMPLES
from standin import StandIn
from tests.addons.inspection.test_explaining import COMPLETED, event, flow
from tests.cli.commands.see.test_explain import save
from tests.cli.logins import lead_to
from tests.harness import fill, write_login
from tests.test_commands_in_docs import PAGES, lines_of, mistakes

type Run = Callable[..., Any]

LINES = sorted({line for lines in EXAMPLES.values() for line in lines})
BEFORE = {
    "backup restore before-cleanup": ("backup create before-cleanup",),
    "keys remove bob": ("keys add bob",),
    "keys rotate bob": ("keys add bob",),
    "keys rotate bob --expires 30d": ("keys add bob",),
    "keys add --person ann --label laptop --expires 30d": ("people add ann",),
    "people show ann": ("people add ann",),
    "people set ann --tokens 5M/day": ("people add ann",),
    "people set ann --tokens none": ("people add ann",),
    "people pause ann": ("people add ann",),
    "people resume ann": ("people add ann",),
    "people login ann --expires 30d --out auth.json": ("people add ann",),
    "people remove ann": ("people add ann",),
    "join ann.toml": ("keys add ann --host 127.0.0.1 --out ann.toml",),
    "join --remove": ("keys add ann --host 127.0.0.1 --out ann.toml", "join ann.toml"),
    "tag work --remove team": ("tag work +team",),
    "config unset strategy": ("config set strategy drain",),
    "ca path": ("ca create",),
    "ca renew": ("ca create",),
    "ca status": ("ca create",),
    "env --proxy http://127.0.0.1:9000": ("ca create",),
    "unbind": ("ca create", "bind --force"),
    "unbind --dry-run": ("ca create", "bind --force"),
    "sync push work": ("sync pull",),
    "sync push work --dry-run": ("sync pull",),
}
"""What has to have been done for an example to be sensible."""
NOT_RUN = {
    r"login .*": "ends in a browser; tests/cli/commands/accounts/test_login.py plays it against the stand-in",
    r"(logout|remove) work( --revoke)?": "asks first, and here nobody answers; tests/cli/ui/test_asking.py",
    r"run .*": "starts a proxy and a client; tests/cli/commands/use/test_run.py",
    r"open": "opens the page of a proxy, and here none runs; tests/cli/commands/see/test_open.py",
    r"serve.*": "goes on until it is stopped; tests/cli/commands/use/test_serve.py",
    r"events --follow": "goes on until it is stopped; tests/cli/commands/see/test_events.py",
    r"notify test.*": "tells whom the settings name; tests/cli/commands/setup/test_notify.py",
    r"top": "goes on until it is left; tests/cli/top/test_in_a_terminal.py",
    r"stop.*": "ends proxies, and here none runs; tests/cli/commands/use/test_stop.py",
    r"bind( --dry-run)?": "needs a proxy that answers; tests/cli/commands/setup/test_bind.py",
    r"ca (un)?install.*": "changes what this machine trusts; tests/cli/commands/setup/test_trust.py",
    r"doctor.*": "looks at the whole machine; tests/cli/commands/wrong/test_doctor.py",
    r"demo( --built-in-client)?": "a proxy and clients at work; tests/cli/demo/test_play.py",
}
"""Patterns of whole examples, each with the reason."""


@pytest.fixture
def world(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The accounts `work` and `home`, a client that is logged in, and the files that examples name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CODEX_HOME")
    (tmp_path / ".codex").mkdir()
    (tmp_path / "logins").mkdir()
    attempts = [{"account": "work", "kind": "ok", "status": 200, "detail": ""}]
    save(tmp_path / "flows.mitm", flow(event(COMPLETED), attempts=attempts, done="delivered", thread="one"))
    with StandIn() as upstream:
        monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URL", upstream.base_url)
        monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", upstream.token_url)
        lead_to(upstream, monkeypatch)
        fill(home, [upstream.add_account(name, user_id=f"user-{name}") for name in ("work", "home")], tmp_path)
        for name, file in (("own", ".codex/auth.json"), ("new", "logins/new.json"), ("more", "another.json")):
            write_login(upstream.add_account(name, user_id=f"user-{name}"), tmp_path / file)
        yield tmp_path


def ours(line: str) -> str:
    """What comes after our name, without the shell's comment; "" for a line that is for a shell."""
    name, _, rest = re.sub(r" +# .*", "", line).partition(" ")
    return rest if name == "codex-rotate" and "|" not in rest else ""


RUN = [ours(line) for line in LINES if ours(line) and not any(re.fullmatch(each, ours(line)) for each in NOT_RUN)]


@pytest.mark.parametrize("example", RUN)
def test_an_example_works(run: Run, world: Path, example: str) -> None:
    words = [str(world / word.removeprefix("~/")) if word.startswith("~/") else word for word in shlex.split(example)]
    for line in BEFORE.get(example, ()):
        assert run(*line.split()).code == 0
    ran = run(*words)
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err
    if "--json" in words:
        json.loads(ran.out)


def test_lines_for_a_shell_are_run_as_lines_of_the_docs() -> None:
    """Word for word, but for a start-up file's or another shell's."""
    in_docs = {line for page in PAGES for line in lines_of(page)}
    elsewhere = {'eval "$(codex-rotate completion)"', "codex-rotate completion --shell fish | source"}
    for_a_shell = {line for line in LINES if not ours(line)} - elsewhere
    assert {line for line in for_a_shell if "curl" not in line and "mitmdump" not in line} <= in_docs
    for line in for_a_shell:
        for inner in re.findall(r"\$\(codex-rotate ([^)]*)\)", line):
            assert mistakes(shlex.split(inner), typer.main.get_command(build())) == []


def test_an_example_is_known_to_the_parser() -> None:
    """Those that are not run here too."""
    command = typer.main.get_command(build())
    wrong = {line: mistakes(shlex.split(ours(line).partition(" run ")[0]), command) for line in LINES if ours(line)}
    assert not any(wrong.values()), wrong


def test_no_excuse_is_for_an_example_that_is_gone() -> None:
    left = [ours(line) for line in LINES]
    assert [each for each in NOT_RUN if not any(re.fullmatch(each, example) for example in left)] == []
    assert not BEFORE.keys() - set(RUN)


def test_an_example_stands_with_its_own_command() -> None:
    for command, lines in EXAMPLES.items():
        for line in lines:
            assert f"codex-rotate {command}".strip() in line
            assert len(line) <= 76
