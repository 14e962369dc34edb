"""Pictures of the ledger's sums."""

import stat
import sys
from pathlib import Path

import pytest

from accounts.errors import FileThere, UsageError
from cli.ui.plots import MOST_BARS, Bar, Drawing, NothingDraws, checked_place, draw

BARS = [Bar("one", 10, 5, 2), Bar("$two$ ünïcode 日本", 0, 0, 0)]


@pytest.mark.parametrize(("name", "begins", "upright"), [("a.svg", b"<?xml", True), ("a.PNG", b"\x89PNG", False)])
def test_a_picture_is_written_for_its_owner_only(tmp_path: Path, name: str, begins: bytes, upright: bool) -> None:
    place = tmp_path / name
    assert draw(Drawing("Tokens $by day", BARS, upright), place) == 0
    assert place.read_bytes().startswith(begins)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_nothing_makes_a_picture_too(tmp_path: Path) -> None:
    assert draw(Drawing("Nothing", [], True), tmp_path / "a.svg") == 0


def test_what_has_no_room_is_counted(tmp_path: Path) -> None:
    many = [Bar(f"group {number}", 1, 1, 1) for number in range(MOST_BARS + 3)]
    assert draw(Drawing("Many", many, False), tmp_path / "a.svg") == 3


def test_without_matplotlib_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(NothingDraws, match=r"pipx inject codex-rotate matplotlib"):
        draw(Drawing("", BARS, True), tmp_path / "a.svg")
    assert not list(tmp_path.iterdir())


def test_where_a_picture_may_go(tmp_path: Path) -> None:
    there = tmp_path / "there.png"
    there.touch()
    with pytest.raises(FileThere):
        checked_place(there, force=False)
    assert checked_place(there, force=True) == there
    with pytest.raises(UsageError, match=r"\.svg or \.png"):
        checked_place(tmp_path / "a.pdf", force=False)
    with pytest.raises(UsageError, match="no folder"):
        checked_place(tmp_path / "none" / "a.svg", force=False)
