"""Programs are started with argument lists, waited for by what they say, and ended by us."""

import os
import sys
from pathlib import Path

import pytest

from cli.running.processes import STOP_SECONDS, Background, Finished, ProgramFailed, run
from config import clock


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_program_that_ends_gives_its_code_and_its_words(tmp_path: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    assert run(python(code), os.environ, tmp_path, 30) == Finished(3, "out\n", "err\n")


def test_what_a_program_says_in_another_encoding_is_no_trouble(tmp_path: Path) -> None:
    code = r"import sys; sys.stdout.buffer.write(b'caf\xe9'); sys.stderr.buffer.write(b'\xff')"
    assert run(python(code), os.environ, tmp_path, 30) == Finished(
        0, "caf\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}"
    )


def test_a_program_gets_no_input(tmp_path: Path) -> None:
    assert run(python("import sys; print(repr(sys.stdin.read()))"), os.environ, tmp_path, 30).out == "''\n"


def test_a_program_that_takes_too_long_is_ended_and_has_no_code(tmp_path: Path) -> None:
    finished = run(
        python("print('begun', flush=True); import threading; threading.Event().wait()"), os.environ, tmp_path, 2
    )
    assert finished.code is None
    assert finished.out == "begun\n"


def test_a_server_is_ready_when_it_has_said_so_and_is_ended_with_us() -> None:
    code = "print('port 1', flush=True); print('ready', flush=True); import threading; threading.Event().wait()"
    with Background(python(code), os.environ) as server:
        assert server.wait_for(("ready", "port")) == ["ready\n", "port 1\n"]


def test_a_server_that_ends_before_it_is_ready_is_told_with_its_last_words() -> None:
    with Background(python("print('no such option')"), os.environ) as server, pytest.raises(ProgramFailed) as failed:
        server.wait_for(("ready",))
    assert "no such option" in str(failed.value)
    assert str(failed.value).endswith("run the command again.")


@pytest.mark.serial
def test_a_server_that_waits_for_something_is_told_to_end_once_more(tmp_path: Path) -> None:
    """As a proxy does, which finishes a turn: whoever leaves does not wait for it."""
    code = (
        "import signal, threading; told = []\n"
        "def note(*_):\n"
        "    told.append(1)\n"
        f"    open({str(tmp_path / 'told')!r}, 'w').write(str(len(told)))\n"
        "    if len(told) > 1: raise SystemExit\n"
        "signal.signal(signal.SIGTERM, note); print('ready', flush=True)\n"
        "while True: threading.Event().wait(0.05)"
    )
    began = clock.monotonic()
    with Background(python(code), os.environ) as server:
        server.wait_for(("ready",))
    assert (tmp_path / "told").read_text() == "2"
    assert clock.monotonic() - began < STOP_SECONDS
