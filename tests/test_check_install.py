"""The install check says what is wrong, and does not take a registry that is not there for a project that is broken.

That an installation works is tried by `make installs`; here it is about what else may happen.
"""

import http.server
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import check_install
from tests.harness import free_port


@pytest.fixture(autouse=True)
def nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages come from a registry that each test makes, not from what uv has kept."""
    monkeypatch.setattr(check_install, "WORK", tmp_path / "installs")
    for name in ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_OFFLINE", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"UV_NO_CACHE": "1", "UV_NO_CONFIG": "1", "UV_HTTP_RETRIES": "0"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """One that nobody comes to install: what it needs is not to be had."""
    path = tmp_path / "codex_rotate-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("codex_rotate/__init__.py", "")
        archive.writestr("codex_rotate-0.1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def empty_registry() -> Iterator[str]:
    """One that answers and has nothing."""

    class Nothing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_without_a_registry_nothing_is_tried_which_only_ci_takes_amiss(
    ci: str, code: int, wheel: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{free_port()}/simple")
    assert check_install.check(["lowest"], wheel) == code
    assert "skipped, no package registry answers" in capsys.readouterr().out


def test_a_registry_that_lacks_a_package_is_a_failure(
    empty_registry: str, wheel: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What pyproject.toml asks for is not to be had: that is ours to mend."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", empty_registry)
    assert check_install.check(["lowest"], wheel) == 1
    said = capsys.readouterr().out
    assert "FAILED" in said
    assert "uv pip install" in said


@pytest.mark.parametrize("more", ["cli/__init__.py", "config.py", "codex_rotate_tools/__init__.py"])
def test_a_wheel_that_brings_more_than_its_package_is_refused(more: str, wheel: Path) -> None:
    assert check_install.brought(wheel) == {"codex_rotate", "codex_rotate-0.1.0.dist-info"}
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(more, "")
    with pytest.raises(check_install.Failed, match=more.partition("/")[0]):
        check_install.brought(wheel)


def test_an_installation_that_does_not_start_is_told_with_its_words(tmp_path: Path) -> None:
    """Which program, how it ended and what it said, as when a package it imports was not declared."""
    program = tmp_path / "codex-rotate"
    program.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named zstandard' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(check_install.Failed, match=r"(?s)codex-rotate --version.*exit code 1.*zstandard"):
        check_install.try_out(tmp_path, tmp_path / "tried")


def test_a_proxy_that_ends_at_once_is_told_with_its_words(tmp_path: Path) -> None:
    program = tmp_path / "mitmdump"
    program.write_text("#!/bin/sh\necho 'no such script'\n")
    program.chmod(0o755)
    desk = check_install.Desk(tmp_path, tmp_path / "desk")
    with desk.opened(), pytest.raises(check_install.Failed, match=r"(?s)mitmdump -s nothing.*no such script"):
        desk.serves(tmp_path / "ca.pem", "mitmdump", "-s", "nothing")
