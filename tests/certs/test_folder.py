"""The folder of an authority: its owner's only, and one writer at a time."""

import os
import stat
from pathlib import Path

import pytest
from filelock import FileLock

from certs import ca
from certs import folder as folders
from certs.ca import KEY_FILE
from certs.errors import CaBusy, CaUnreachable
from tests.certs.conftest import contents

posix = pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")


@posix
def test_a_key_that_others_could_read_is_closed_and_that_is_said(folder: Path, now: float) -> None:
    """Once: the second look finds nothing to say."""
    ca.create(folder, now)
    folder.chmod(0o755)
    (folder / KEY_FILE).chmod(0o640)
    repairs = ca.examine(folder, now).repairs
    assert [str(path) in said for path, said in zip((folder, folder / KEY_FILE), repairs, strict=True)] == [True, True]
    assert "0640" in repairs[1]
    assert "renew --leaked" in repairs[1]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert ca.examine(folder, now).repairs == ()


def test_a_process_that_hangs_does_not_hang_the_others(
    folder: Path, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LOCK_SECONDS", 0.05)
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"), pytest.raises(CaBusy):
        ca.ensure(folder, now)
    assert contents(folder) == {}


def test_a_lock_is_given_back_when_the_work_fails(folder: Path) -> None:
    """The next one does not wait."""
    with pytest.raises(ZeroDivisionError), folders.alone_in(folder):
        raise ZeroDivisionError
    with folders.alone_in(folder):
        assert folder.is_dir()


def test_what_the_disk_refuses_names_the_file(folder: Path) -> None:
    with pytest.raises(CaUnreachable, match=r"there\.pem cannot be used \(No such file"), folders.explained(folder):
        (folder / "there.pem").read_bytes()
