"""`explain` tells a capture turn by turn, needs no pool, and says of a file that is none what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.io import FlowWriter, tnetstring
from rich.cells import cell_len

from cli.app import main
from tests.addons.inspection.test_explaining import COMPLETED, event, flow
from tests.cli.ui.test_render import Terminal

type Run = Callable[..., Any]


def save(file: Path, *flows: object) -> Path:
    with file.open("wb") as saved:
        for each in flows:
            FlowWriter(saved).add(each)  # type: ignore[arg-type]
    return file


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    folder = tmp_path / "captures of mine"
    folder.mkdir()
    attempts = [
        {"account": "work", "kind": "usage_limit", "status": 429, "detail": ""},
        {"account": "spare", "kind": "ok", "status": 200, "detail": ""},
    ]
    return save(
        folder / "one.flow", flow(event(COMPLETED), attempts=attempts, done="delivered", thread="conversation-1")
    )


def test_a_turn_is_a_line(run: Run, capture: Path, home: Path) -> None:
    """And nothing of ours is made on the disk."""
    ran = run("explain", capture)
    assert (ran.code, ran.err) == (0, "")
    (line,) = [each for each in ran.out.splitlines() if "work" in each]
    for words in (
        "sation-1",
        "HTTP",
        "gpt-5",
        "work 429 usage limit → spare 200",
        "delivered",
        "1.0 s",
        "20 (10 cached) + 3",
    ):
        assert words in line
    assert not home.exists()


def test_programs_get_the_same_and_more(run: Run, capture: Path) -> None:
    (turn,) = run("explain", capture, "--json").json["turns"]
    assert turn["asked"][0] == {"account": "work", "kind": "usage_limit", "status": 429, "detail": ""}
    assert turn["tokens"] == {"given": 20, "cached": 10, "made": 3, "reasoning": 2, "total": None}
    assert (turn["file"], turn["thread"]) == (str(capture), "conversation-1")


def test_a_folder_is_read_file_by_file(run: Run, capture: Path) -> None:
    save(capture.with_name("two.flow"), flow(event(COMPLETED)), flow(event(COMPLETED)))
    capture.with_name("notes.txt").write_text("nothing")
    assert len(run("explain", capture.parent, "--json").json["turns"]) == 3


def test_a_capture_that_ends_in_the_middle_is_told_as_far_as_it_goes(run: Run, capture: Path) -> None:
    save(capture, flow(event(COMPLETED)), flow(event(COMPLETED)))
    capture.write_bytes(capture.read_bytes()[:-20])
    ran = run("explain", capture)
    assert ran.code == 0
    assert len([line for line in ran.out.splitlines() if "completed" in line]) == 1
    assert "ends in the middle" in ran.err


def test_a_capture_without_model_requests(run: Run, tmp_path: Path) -> None:
    assert "no model request" in run("explain", save(tmp_path / "empty.flow")).out


@pytest.mark.parametrize("content", [b"nonsense", b"\xff" * 100, b"9999999999:"])
def test_what_is_no_capture(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.flow"
    file.write_bytes(content)
    ran = run("explain", file)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.strip().endswith("Give a file that mitmproxy has saved.")


def test_nothing_there(run: Run, tmp_path: Path) -> None:
    assert run("explain", tmp_path / "none.flow").code == 1
    assert "no captures" in run("explain", tmp_path).err


@pytest.mark.parametrize("width", [60, 80])
def test_it_can_be_read_on_a_narrow_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """No word is broken; a long label is cut, and everything that a turn came to is there."""
    attempts = [
        {"account": "a-very-long-label-that-somebody-has-chosen-for-it", "kind": "usage_limit", "status": 429},
        {"account": "日本語のアカウント名前です", "kind": "ok", "status": 200},
    ]
    turn = flow(event(COMPLETED), attempts=attempts, done="delivered", thread="conversation-1")
    file = save(tmp_path / "x.flow", turn)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    assert main(["explain", str(file)]) == 0
    shown = screen.getvalue()
    assert max(map(cell_len, shown.splitlines())) <= width
    words = set(shown.split())
    assert {"a-very-long-label-that-…", "429", "usage", "limit", "→", "日本語のアカウント名前です", "200"} <= words
    assert {"delivered", "sation-1", "gpt-5", "20", "(10", "cached)", "tokens"} <= words


@pytest.mark.parametrize("odd", [{"type": "never heard of", "version": 21}, {"type": "http", "version": 21}])
def test_a_flow_that_mitmproxy_would_not_write_is_told(run: Run, tmp_path: Path, odd: dict[str, object]) -> None:
    file = tmp_path / "odd"
    file.write_bytes(tnetstring.dumps(odd))
    ran = run("explain", file)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.strip().endswith("Give a file that mitmproxy has saved.")
