"""A report goes to a new file of its owner's, and never in the place of another one."""

import os
from pathlib import Path

import pytest

from accounts.errors import UsageError
from cli.report.files import ReportUnwritable, write_report


def test_a_new_file_is_its_owners_only(tmp_path: Path) -> None:
    file = write_report(tmp_path / "out", b"said")
    assert file.read_bytes() == b"said"
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """A link that leads nowhere is something, too."""
    (tmp_path / "out").write_bytes(b"before")
    with pytest.raises(UsageError, match="left as it is"):
        write_report(tmp_path / "out", b"said")
    assert (tmp_path / "out").read_bytes() == b"before"
    if os.name == "posix":
        (tmp_path / "link").symlink_to(tmp_path / "none")
        with pytest.raises(UsageError, match="left as it is"):
            write_report(tmp_path / "link", b"said")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportUnwritable, match="--out"):
        write_report(tmp_path / "none" / "out", b"said")
