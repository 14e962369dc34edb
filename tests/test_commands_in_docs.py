"""Every command line in README.md and docs/ works: each is executed in a made-up world, page by page and in order.

The world has a home of its own, a pool of accounts that only the stand-in knows, a `codex` that does nothing, and no
way to the internet. Lines that cannot be executed are in a table with the reason, and their options are checked against
the parser all the same.
"""

import functools
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from cli.app import build
from cli.running.processes import Background
from standin import StandIn
from tests import warm
from tests.harness import fill, plain_environment, write_login
from tests.rows import all_rows

ROOT: Final = Path(__file__).resolve().parents[1]
BIN: Final = Path(sys.executable).parent
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MOST_SECONDS: Final = 60
pytestmark = pytest.mark.usefixtures("warm_starts")
"""And what a page's lines start is asked for by `warm.put_programs`: they are a shell's."""

NOT_EXECUTED: Final = {
    r"make (demo|test)|codex-rotate demo": "what CI runs itself; tests/cli/demo/test_play.py plays the demo",
    r"codex-rotate notify test.*": "tells whom the settings name; tests/cli/commands/setup/test_notify.py does",
    r"codex-rotate events --follow": "goes on until it is stopped; tests/cli/commands/see/test_events.py stops it",
    r"codex-rotate stop --all": "nothing runs there; tests/cli/commands/use/test_stop.py ends what does",
    r"uv tool .*": "changes what the user has installed; scripts/check_install.py does it elsewhere",
    r'"\$\(pipx environment .*': "there is no pipx here; the same program is started by its name",
    r"\. \.venv/bin/activate": "enters the environment this runs in",
    r"codex-rotate login .*": "ends in a browser; tests/cli/commands/accounts/test_login.py plays it",
    r"codex-rotate open": "opens a browser on a proxy that runs; tests/cli/commands/see/test_open.py",
    r"codex login": "the official client's own",
    r"codex-rotate ca uninstall": "changes this machine's trust stores; tests/certs plays it in made-up ones",
}
"""Patterns of whole lines, each with the reason."""
SERVES: Final = re.compile(r"(codex-rotate serve|mitmdump -s)\b.*")
"""Lines that go on until they are stopped: they are started, and ended once they listen."""
MAY_FAIL: Final = {
    r"codex-rotate doctor.*": "it finds that the made-up client is none",
}
"""Lines that may also end with exit code 1."""

FENCED: Final = re.compile(r"^( *)```(sh|console)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SPAN: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
OURS: Final = re.compile(r"(?:^|[\s(\"'/])codex-rotate((?: +[^\s`\"'|;&)]+)+)")


def lines_of(page: Path) -> list[str]:
    """The command lines in the fences of a page; of a `console` what comes after `$ `. Comments are none."""
    found = []
    for _, kind, text in FENCED.findall(page.read_text("utf-8")):
        lines = [line.strip() for line in text.splitlines()]
        if kind == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        found += [re.sub(r"\s+# .*", "", line) for line in lines if line and not line.startswith("#")]
    return found


def at_any_port(line: str) -> str:
    """A line that serves, without its address."""
    return re.sub(" --listen [^ ]+", "", line)


def excused(line: str) -> bool:
    return any(re.fullmatch(pattern, line) for pattern in NOT_EXECUTED)


# in a made-up world


@dataclass
class World:
    """A home, a pool, and an environment that leads nowhere else. `port` is free for a proxy."""

    folder: Path
    env: dict[str, str]
    port: int

    def script(self, lines: Sequence[str]) -> str:
        """What a shell is given of a page. What a line asks for inside is asked first: its failure would be lost."""
        script: list[str] = []
        for line in lines:
            if not excused(line) and not SERVES.fullmatch(line):
                script += [f"{inner} > /dev/null" for inner in re.findall(r"\$\((codex-rotate [^)]*)\)", line)]
                script.append(self.line(line))
        return "\n".join(script)

    def line(self, line: str) -> str:
        """The line as it is executed: the default port may be that of the developer's own proxy."""
        if line.startswith("codex-rotate bind"):
            line += f" --proxy http://127.0.0.1:{self.port}"
        if any(re.fullmatch(pattern, line) for pattern in MAY_FAIL):
            line += " || [ $? -eq 1 ]"
        return line

    def run(self, lines: Sequence[str]) -> None:
        """One shell for a page, as a reader has one terminal. The first line that fails ends it."""
        log = self.folder.parent / "said"
        with log.open("w") as out:
            process = subprocess.Popen(
                ["bash", "-exc", self.script(lines)],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
            try:
                code = process.wait(MOST_SECONDS)
            finally:
                with suppress(ProcessLookupError):  # what it has left in the background
                    os.killpg(process.pid, signal.SIGTERM)
        assert code == 0, f"ended with {code}:\n{log.read_text()}"

    def serve(self, line: str, port: int) -> Background:
        """A line that serves, at this port."""
        listen = (
            f"--listen-host 127.0.0.1 --listen-port {port}" if line.startswith("mitm") else f"--listen 127.0.0.1:{port}"
        )
        moved = f"cd {shlex.quote(str(self.folder))} && exec {line} {listen}"
        return Background(["bash", "-c", moved], self.env)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "a folder"
    home = tmp_path / "some body"
    programs = tmp_path / "programs"
    temporary = tmp_path / "temporary"
    for each in (folder, home / ".codex" / "multi-auth", programs, temporary):
        each.mkdir(parents=True)
    for name in ("codex", "open", "xdg-open", "www-browser"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    warm.put_programs(programs)
    with StandIn() as upstream:
        pool = home / "rotate"
        accounts = [upstream.add_account(name, user_id=f"user-{name}") for name in ("work", "home")]
        fill(pool, accounts, tmp_path)
        write_login(upstream.add_account("own", user_id="user-own"), home / ".codex" / "auth.json")
        write_multi_auth(home / ".codex" / "multi-auth", upstream.add_account("old", user_id="user-old").auth_json())
        (pool / "config.toml").write_text(f'upstream_proxy = "http://127.0.0.1:{free_port()}"  # nowhere\n')
        env = {
            **plain_environment(),
            "PATH": os.pathsep.join([str(programs), str(BIN), os.environ["PATH"]]),
            "HOME": str(home),
            "CODEX_ROTATE_HOME": str(pool),
            "CODEX_ROTATE_CHATGPT_BASE_URL": upstream.base_url,
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE": upstream.token_url,
            "BROWSER": "true",
            "TMPDIR": str(temporary),
            "SHELL": "/bin/bash",
        }
        env.pop("VIRTUAL_ENV", None)
        subprocess.run([BIN / "codex-rotate", "ca", "create"], env=env, check=True, capture_output=True)
        yield World(folder, env, free_port())


def write_multi_auth(folder: Path, login: dict[str, Any]) -> None:
    """codex-multi-auth's file of accounts."""
    tokens = login["tokens"]
    account = {"accessToken": tokens["access_token"], "refreshToken": tokens["refresh_token"]}
    account |= {"accountId": tokens["account_id"], "idToken": tokens["id_token"]}
    document = {"version": 3, "activeIndex": 0, "accounts": [account]}
    (folder / "openai-codex-accounts.json").write_text(json.dumps(document))


WITH_COMMANDS: Final = [
    page for page in PAGES if any(not excused(line) and not SERVES.fullmatch(line) for line in lines_of(page))
]
SERVED: Final = [line for page in PAGES for line in lines_of(page) if SERVES.fullmatch(line)]
LEAVES: Final = re.compile(r" -w | --intercept-all\b")
"""In a line that serves: there is a file afterwards that a later line of its page reads."""


@pytest.mark.skipif(os.name != "posix", reason="the lines are for a POSIX shell")
def test_the_lines_that_serve_do_so(world: World) -> None:
    """Each way of it that some page shows, whatever its address."""
    for line in sorted({at_any_port(line) for line in SERVED if not LEAVES.search(line)}):
        with world.serve(line, free_port()) as proxy:
            assert proxy.wait_for(("listening at",)), line
    assert left_by(world) == []


@pytest.mark.skipif(os.name != "posix", reason="the lines are for a POSIX shell")
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_command_lines_of_a_page_work(page: Path, world: World) -> None:
    """In the order in which a reader runs them. Of those that serve only what leaves something, before the others."""
    lines = lines_of(page)
    for line in lines:
        if SERVES.fullmatch(line) and LEAVES.search(line):
            with world.serve(at_any_port(line), free_port()) as proxy:
                assert proxy.wait_for(("listening at",))
    with ExitStack() as stack:
        if any(line.startswith(("codex-rotate bind", "codex-rotate join")) for line in lines):
            words = [str(BIN / "codex-rotate"), "serve", "--listen", f"127.0.0.1:{world.port}"]
            stack.enter_context(Background(words, world.env)).wait_for(("listening at",))
        world.run(lines)
    assert left_by(world) == []


def left_by(world: World) -> list[Path]:
    """What is still there of a temporary kind."""
    own = f"codex-rotate-{os.geteuid()}-"  # where a proxy that still runs answers the owner's commands
    return [each for each in Path(world.env["TMPDIR"]).iterdir() if not each.name.startswith(own)]


def test_the_commands_are_found() -> None:
    """The test above looks at something, and no excuse is for a line that is gone."""
    lines = [line for page in PAGES for line in lines_of(page)]
    assert len(lines) > 60
    unused = [each for each in (*NOT_EXECUTED, *MAY_FAIL) if not any(re.fullmatch(each, line) for line in lines)]
    assert not unused


def test_only_commands_are_found(tmp_path: Path) -> None:
    """Comments, output and other fences are none."""
    page = tmp_path / "page.md"
    page.write_text("```sh\n# no\nls   # why\n\n```\n```console\n$ pwd\n/here\n```\n```text\nno\n```\n")
    assert lines_of(page) == ["ls", "pwd"]


# against the parser


def mistakes(words: Sequence[str], command: Any) -> list[str]:
    """What in the words after `codex-rotate` the parser does not know. Values are not looked at."""
    rest = list(words)
    while rest and getattr(command, "commands", None) is not None and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    known = {"--help", *(option for each in command.params for option in (*each.opts, *each.secondary_opts))}
    wrong = []
    for at, word in enumerate(rest):
        if word == "--" or (command.name == "run" and not word.startswith("-") and rest[at - 1] != "--account"):
            break  # the client's own
        if word.startswith("--") and word.partition("=")[0] not in known:
            wrong.append(word)
    return wrong


@functools.cache
def whole_program() -> Any:
    return typer.main.get_command(build())


def mentioned(page: Path) -> Iterator[str]:
    """What is said of `codex-rotate` in code, in fences and in the middle of a sentence."""
    text = page.read_text("utf-8")
    for code in [*lines_of(page), *SPAN.findall(re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL))]:
        for words in OURS.findall(code):
            yield words.strip()


@all_rows("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_is_mentioned_exists(page: Path) -> None:
    """With the options that are said, in sentences and tables too."""
    group = whole_program()
    wrong = [
        f"codex-rotate {words}: {found}"
        for words in mentioned(page)
        for found in mistakes(shlex.split(words.replace("\\", "")), group)
    ]
    assert not wrong


@all_rows(
    ("words", "wrong"),
    [
        ("list --json", []),
        ("lits", ["lits"]),
        ("ca install --sytem", ["--sytem"]),
        ("run --account work codex exec --yolo", []),
        ("run --acount work codex", ["--acount"]),
        ("login --label=work", []),
        ("keys", []),
        ("--version", []),
    ],
)
def test_the_check_of_mentions_knows_the_parser(words: str, wrong: list[str]) -> None:
    assert mistakes(words.split(), whole_program()) == wrong
