"""A file is written as a whole, for its owner only, or not at all."""

import os
import stat
from pathlib import Path

import pytest

from config.files import write_private


def test_it_is_its_owners_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, b"new")
    assert file.read_bytes() == b"new"
    assert os.name != "posix" or stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_raised_at_the_last_moment_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """The finished file can be looked at before it gets its name."""
    file, seen = tmp_path / "x", list[bytes]()
    file.write_text("old")

    def last(written: Path) -> None:
        seen.append(written.read_bytes())
        raise ValueError("on second thoughts")

    with pytest.raises(ValueError, match="second thoughts"):
        write_private(file, b"new", last)
    assert (seen, file.read_text(), list(tmp_path.iterdir())) == ([b"new"], "old", [file])


def test_a_folder_that_is_not_there_is_the_callers_to_explain(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_private(tmp_path / "none" / "x", b"new")
