"""A team lead's first ten minutes, as the how-to for several users shows them: the same commands say the same words."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests import warm
from tests.e2e.codex import Ran, finish, settle_in
from tests.e2e.conftest import ONE_TRANSPORT
from tests.e2e.desk import ROTATE, Desk, open_desk
from tests.e2e.test_team import HEADING, PAGE
from tests.e2e.test_virtual_login import serving
from tests.harness import eventually

SECTION: Final = "A team lead's first ten minutes"
FENCE: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REFUSED: Final = "emil has used the 2 turns of today; more at 00:00 UTC. The owner of this proxy has set this rule."
LOGINS: Final = {"dora": "dora.json", "emil": "emil.json"}
_NUMBER: Final = re.compile(r"\d[\d.,:]*[kM]?%?")


@pytest.fixture
def desk(binary: Path, transport: str, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(binary, tmp_path / "a desk", transport, cold=False) as desk:
        for label, name in (("acc-1", "work"), ("acc-2", "spare")):
            desk.rotate("label", label, name)
        yield desk


def shown() -> list[tuple[str, str]]:
    """The commands of the section, each with what it prints there."""
    parts = HEADING.split(PAGE.read_text("utf-8"))
    told = "\n".join(FENCE.findall(parts[parts.index(SECTION) + 1]))
    commands = [each.partition("\n") for each in re.split(r"^\$ ", told, flags=re.MULTILINE)[1:]]
    return [(line, printed) for line, _, printed in commands]


def says(desk: Desk, line: str) -> str:
    """All that a command of the lead's prints."""
    words = shlex.split(line)
    done = warm.run(
        [ROTATE, *words[1:]], env=desk.environ | {"COLUMNS": "100"}, cwd=desk.folder / "work", stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout


def alike(text: str) -> list[str]:
    """Lines without what differs from one day to the next: numbers, times, the width of columns and bars, and which of
    two people who did the same has taken a few tokens more."""
    lines = (_NUMBER.sub("N", line) for line in text.splitlines())
    plain = (" ".join(re.sub(r"[─━█▏▎▍▌▋▊▉░#]+", " ", line).split()) for line in lines)
    return sorted(line for line in plain if line)


def works(desk: Desk, told: dict[str, str], name: str) -> Ran:
    """Somebody of the team asks something, with the official client and the login that they were given."""
    home = desk.folder / f"client of {name}"
    if not home.exists():
        settle_in(desk.binary, home)
    (home / "auth.json").write_bytes((desk.folder / "work" / LOGINS[name]).read_bytes())
    environ = told | {"HOME": str(home), "CODEX_HOME": str(home)}
    return finish(desk.start(desk.client("say hi"), environ))


@ONE_TRANSPORT
def test_the_page_shows_what_the_commands_say(desk: Desk) -> None:
    lines = shown()
    turn = next(number for number, (line, _) in enumerate(lines) if line.startswith("codex-rotate usage"))
    with serving(desk) as told:
        said = [says(desk, line) for line, _ in lines[:turn]]
        ran = [works(desk, told, name) for name in ("dora", "dora", "emil", "emil", "emil")]
        assert [each.code for each in ran] == [0, 0, 0, 0, 1]
        asked, expected = lines[turn]
        eventually(lambda: alike(says(desk, asked)) == alike(expected))  # a turn is written down a moment later
        said += [says(desk, line) for line, _ in lines[turn:]]
    for (line, expected), words in zip(lines, said, strict=True):
        assert alike(words) == alike(expected), line
    assert REFUSED in PAGE.read_text("utf-8").partition(f"## {SECTION}")[2]
    assert REFUSED in ran[-1].err
