"""A program of the owner's is told on its standard input, without a shell, and no longer than it may take."""

import json
import os
import sys
from pathlib import Path

import pytest

from addons.notify.command import MOST_SAID, run_command
from tests.harness import eventually

pytestmark = pytest.mark.skipif(os.name != "posix", reason="groups of processes")


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


async def test_it_gets_the_body_and_what_it_says_comes_back() -> None:
    reached, said = await run_command(python("import sys; print('got', sys.stdin.read())"), b'{"a": 1}')
    assert (reached, said) == (True, 'it ended with 0, it said: got {"a": 1}')


async def test_a_program_that_reads_nothing_and_says_nothing_is_well() -> None:
    assert await run_command(python("pass"), b"x" * 6_000) == (True, "it ended with 0, it said nothing")


async def test_one_that_fails_has_not_told_anybody() -> None:
    code = "import sys; print('no', file=sys.stderr); sys.exit(3)"
    assert await run_command(python(code), b"") == (False, "it ended with 3, it said: no")


async def test_one_that_is_not_there_cannot_be_started(tmp_path: Path) -> None:
    reached, said = await run_command([str(tmp_path / "no-such-program")], b"")
    assert (reached, said) == (False, "it cannot be started (No such file or directory)")


async def test_arguments_are_no_text_for_a_shell(tmp_path: Path) -> None:
    words = ["$(touch made)", "; touch made", "`touch made`", "a b"]
    code = "import json, sys; print(json.dumps(sys.argv[1:]))"
    reached, said = await run_command(python(code, *words), b"")
    assert reached
    assert json.loads(said.partition("it said: ")[2]) == words
    assert not (tmp_path / "made").exists()


async def test_its_words_are_cut_and_cannot_change_the_terminal() -> None:
    reached, said = await run_command(python("print('\\x1b[31m\\n' + 'x' * 1_000_000)"), b"")
    assert reached
    assert len(said) < MOST_SAID + 60
    assert said.isprintable()


async def test_one_that_goes_on_for_too_long_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        "file = pathlib.Path(sys.argv[1]); file.with_suffix('.new').write_text(str(child.pid))\n"
        "file.with_suffix('.new').rename(file)\n"
        "signal.pause()"
    )
    reached, said = await run_command(python(code, str(tmp_path / "child")), b"", seconds=2.0)
    assert (reached, said) == (False, "it did not end within 2 s and was ended")
    child = int((tmp_path / "child").read_text())
    assert eventually(lambda: not _runs(child))


async def test_what_it_leaves_behind_keeps_nobody_waiting() -> None:
    """As a script does that plays a sound."""
    waits = "import signal; signal.alarm(3); signal.pause()"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {waits!r}]); print('ok')"
    assert await run_command(python(code), b"", seconds=20) == (True, "it ended with 0, it said: ok")


async def test_nothing_of_ours_is_in_its_environment() -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "CODEX_ROTATE_UPSTREAM_PROXY": "http://u:p@x",
        "OPENAI_API_KEY": "k",
        "MINE": "1",
    }
    code = "import os; print(sorted(each for each in os.environ if each in ('PATH', 'MINE') or 'O' in each[:3]))"
    _, said = await run_command(python(code), b"", environ)
    assert said.endswith("['MINE', 'PATH']")


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
