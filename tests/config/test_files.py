"""A file is written as a whole, for its owner only, or not at all."""

import os
import stat
from pathlib import Path

import pytest

from config.files import ABANDONED_SECONDS, claim_private, put_new, sweep_unfinished, sync_folder, write_private


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


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_never_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Also on a file system without hard links."""

    def refused(path: Path, target: Path) -> None:
        raise PermissionError

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    file = tmp_path / "x"
    write_private(file, b"first", put=put_new)
    with pytest.raises(FileExistsError):
        write_private(file, b"second", put=put_new)
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (b"first", [file])
    assert os.name != "posix" or stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_claimed_file_is_empty_and_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "x"
    claim_private(file)
    assert file.read_bytes() == b""
    assert os.name != "posix" or stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        claim_private(file)
    file.write_text("filled")
    claim_private(file, new=False)
    assert file.read_text() == "filled"


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on posix only")
def test_a_folder_that_cannot_be_synced_is_the_callers_to_explain(tmp_path: Path) -> None:
    sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "none")


def test_what_a_killed_process_left_unfinished_is_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (".unfinished-old", ".unfinished-new", "other"):
        (tmp_path / name).touch()
    os.utime(tmp_path / ".unfinished-new", (1e9 + 10, 1e9 + 10))
    for name in (".unfinished-old", "other"):
        os.utime(tmp_path / name, (1e9, 1e9))
    assert sweep_unfinished(tmp_path, 1e9 + ABANDONED_SECONDS + 5) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == [".unfinished-new", "other"]
    assert sweep_unfinished(tmp_path / "missing", 0) == 0
