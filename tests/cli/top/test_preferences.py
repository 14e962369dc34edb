"""How somebody wants the screen, between two of them."""

import stat
from pathlib import Path

import pytest

from cli.top.palettes import Accent, Palette
from cli.top.preferences import Preferences, load, preferences_file, save

WANTED = Preferences(palette=Palette.LIGHT, accent=Accent.PINK, detailed=True)


def test_what_was_kept_is_there_again_and_nobody_else_reads_it() -> None:
    file = preferences_file()
    save(file, WANTED)
    assert load(file) == WANTED
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_is_written_where_all_is_as_usual(home: Path) -> None:
    save(preferences_file(), Preferences())
    assert not home.exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"palette": 5, "accent": ["x"], "detailed": "yes"}', "[" * 99999])
def test_what_cannot_be_read_is_as_usual(tmp_path: Path, text: str) -> None:
    file = tmp_path / "top.json"
    file.write_text(text)
    assert load(file) == Preferences()
