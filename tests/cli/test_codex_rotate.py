"""The program works inside a project whose packages have our names, and stops when one of them is hidden for good."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm

ROOT = Path(__file__).resolve().parents[2]
START = "import codex_rotate; codex_rotate.main()"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A Django-like project with its own `accounts` and `config`."""
    project = tmp_path / "project"
    for name in ("accounts", "config"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("WHOSE = 'theirs'\n")
        (project / name / "settings.py").write_text("raise RuntimeError('the wrong settings')\n")
        (project / name / "errors.py").write_text("raise RuntimeError('the wrong errors')\n")
    return project


def start(code: str, *words: str, pythonpath: tuple[Path, ...], cwd: Path) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, pythonpath))}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, check=False, cwd=cwd, env=environ, capture_output=True, text=True, timeout=60)


def test_inside_somebody_elses_project(foreign: Path) -> None:
    """Our packages are found first, even from within the project's folder."""
    done = start(START, "list", "--json", pythonpath=(foreign, ROOT), cwd=foreign)
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, [], "")
    done = start(START, "status", "--json", pythonpath=(foreign, ROOT), cwd=foreign)
    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.parametrize("entry", [START, "import codex_rotate; codex_rotate.claim_names()"])
def test_a_name_that_is_already_taken(foreign: Path, entry: str) -> None:
    """One line names the file that is in the way and the way out; nothing is run."""
    done = start(f"import accounts; {entry}", "list", pythonpath=(foreign, ROOT), cwd=foreign)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert str(foreign / "accounts" / "__init__.py") in done.stderr
    assert "PYTHONPATH" in done.stderr


def test_a_folder_without_init_is_named_too(foreign: Path) -> None:
    """A namespace package has no file, but a folder, and takes the name just as well."""
    (foreign / "spaces" / "accounts").mkdir(parents=True)
    taking = f"import sys; sys.path.insert(0, {str(foreign / 'spaces')!r}); sys.path.remove({str(ROOT)!r}); "
    done = start(
        f"{taking}import accounts; sys.path.append({str(ROOT)!r}); {START}", pythonpath=(ROOT,), cwd=ROOT.parent
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert str(foreign / "spaces" / "accounts") in done.stderr


def test_nothing_happens_at_import(foreign: Path) -> None:
    """Importing the module changes neither the path nor what is loaded."""
    code = "import sys; before = list(sys.path); import codex_rotate; print(before == sys.path, 'cli' in sys.modules)"
    done = start(code, pythonpath=(ROOT,), cwd=foreign)
    assert done.stdout == "True False\n"


# --- interrupted -----------------------------------------------------------------------------------------------------

INTERRUPTED_AT = """
import os, signal, sys

def look(event, about):
    if event == "import" and about[0] == {module!r}:
        os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(look)
import codex_rotate
codex_rotate.main()
"""
AT_THE_END = "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGINT); "


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signal to send to oneself alone")
@pytest.mark.parametrize(
    ("module", "words"),
    [
        *((module, ("list",)) for module in ("cli.app", "typer", "config.errors", "accounts.store.store")),
        ("accounts.store.store", ("list", "--json")),
    ],
)
def test_ctrl_c_is_130_from_the_first_import_on(module: str, words: tuple[str, ...], tmp_path: Path) -> None:
    """And no traceback, whatever is being imported."""
    done = start(INTERRUPTED_AT.format(module=module), *words, pythonpath=(ROOT,), cwd=tmp_path)
    assert done.returncode == 130
    assert done.stderr in {"", "codex-rotate: Stopped before it was done. Run it again.\n"}
    assert done.stdout == "" or json.loads(done.stdout)["exit_code"] == 130


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signal to send to oneself alone")
def test_ctrl_c_while_python_ends_is_no_traceback_either(tmp_path: Path) -> None:
    done = start(AT_THE_END + START, "version", pythonpath=(ROOT,), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signal to send to oneself alone")
def test_an_interrupt_that_was_ignored_stays_so(tmp_path: Path) -> None:
    """As a shell has it for what it starts in the background."""
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    done = start(ignoring + INTERRUPTED_AT.format(module="cli.app"), "list", pythonpath=(ROOT,), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


# --- output that goes nowhere ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("buffering", ["", "1"])
@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("--help",), ("list", "-h"), ("no-such", "--json")])
def test_a_disk_that_is_full_is_told_in_one_line(buffering: str, words: tuple[str, ...]) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": buffering}
    command = [sys.executable, "-c", START, *words]
    run = subprocess.run if words == ("list",) else warm.run  # Python's own end is the same for all
    with Path("/dev/full").open("w") as full:
        streams = {"stdout": full, "stderr": subprocess.PIPE}
        done = run(command, env=environ, text=True, timeout=60, check=False, **streams)
    assert (done.returncode, done.stderr) == (1, "codex-rotate: cannot write output: No space left on device\n")
    with Path("/dev/full").open("w") as full:
        done = run(command, env=environ, stdout=full, stderr=full, timeout=60, check=False)
    assert done.returncode == 1
