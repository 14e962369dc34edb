"""Tests that run in several processes are each run once, and whatever goes wrong in one is told by the first."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTING = """
import os, pytest
@pytest.fixture(scope="session")
def whose():
    yield os.getpid()
    with open({notes!r}, "a") as notes:
        print("ended", file=notes)
@pytest.fixture(autouse=True)
def noted(request, tmp_path, whose):
    with open({notes!r}, "a") as notes:
        print(request.node.name, whose, tmp_path, file=notes)
"""
GOOD = (
    "import pytest\n@pytest.mark.parametrize('number', range(3))\ndef test_{name}(number): print('said'); assert True\n"
)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes"
    (tmp_path / "conftest.py").write_text(NOTING.format(notes=str(path)))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = serial\n")
    for name in ("one", "two", "three", "four"):
        (tmp_path / f"test_{name}.py").write_text(GOOD.format(name=name))
    return path


def run(folder: Path, *more: str) -> tuple[int, str]:
    plugins = ["-p", "tests.workers", "-p", "no:asyncio", "-p", "no:hypothesispytest", "-p", "no:anyio"]
    command = [sys.executable, "-m", "pytest", *plugins, "--workers", "2", "--rootdir", folder, *more, folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def ran(notes: Path) -> list[list[str]]:
    return [line.split() for line in notes.read_text().splitlines()]


def test_each_is_run_once_in_one_of_the_processes_and_alone_what_must_be(tmp_path: Path, notes: Path) -> None:
    """The tests of a file in the same one; what is a process's own ends with it."""
    (tmp_path / "test_alone.py").write_text("import pytest\n@pytest.mark.serial\ndef test_alone(): pass\n")
    code, said = run(tmp_path)
    assert (code, "13 passed" in said) == (0, True), said
    *first, last, _ = ran(notes)
    together = [line for line in first if line != ["ended"]]
    assert sorted(name for name, *_ in together) == sorted(
        f"test_{name}[{n}]" for name in ("one", "two", "three", "four") for n in range(3)
    )
    assert len({place for *_, place in together}) == 12
    assert first.count(["ended"]) == len({whose for _, whose, _ in together})
    assert (last[0], last[1] in {whose for _, whose, _ in together}) == ("test_alone", False)


def test_what_fails_ends_or_cannot_be_taken_down_is_told(tmp_path: Path, notes: Path) -> None:
    (tmp_path / "test_bad.py").write_text("def test_bad():\n    print('as it said')\n    assert 1 == 2\n")
    (tmp_path / "test_dead.py").write_text("import os\ndef test_dead(): os._exit(3)\ndef test_after(): pass\n")
    code, said = run(tmp_path)
    assert code == 1
    assert {"as it said", "assert 1 == 2"} <= set(re.findall(r"as it said|assert 1 == 2", said))
    assert "test_dead.py::test_dead" in said
    assert "the tests that come after it in its file were not run" in said
    assert "2 failed, 12 passed" in said
    (tmp_path / "test_bad.py").unlink()
    (tmp_path / "test_dead.py").unlink()
    (tmp_path / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.fixture(scope='session', autouse=True)\ndef left():\n    yield\n    assert 'left' == 0\n"
    )
    code, said = run(tmp_path)
    assert (code, "assert 'left' == 0" in said) == (1, True), said


def test_after_as_many_failures_as_are_wanted_no_other_file_is_begun(tmp_path: Path, notes: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"test_{name}.py").write_text("def test_bad(): assert False\n")
    code, said = run(tmp_path, "-x")
    assert code == 1
    assert len(ran(notes)) < 16
    assert re.search(r"stopping after [12] failures", said)
