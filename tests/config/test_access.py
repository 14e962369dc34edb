"""Whose doing it is that a file refuses: what the disk says, and nothing where it says nothing."""

import errno
import os
from pathlib import Path

import pytest

from config import access, paths
from config.access import DiskRefusal, belonging, full, own, refusal, seen, there, user

pytestmark = pytest.mark.skipif(os.name != "posix", reason="users and modes are a POSIX matter")

NOBODY = 65_534
root = pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of ours in the user's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "ours"))
    (tmp_path / "ours").mkdir(mode=0o700)
    return tmp_path / "ours"


def mine(home: Path, name: str = "pool.db") -> Path:
    (home / name).write_text("")
    (home / name).chmod(0o600)
    return home / name


def test_where_nothing_refuses_nothing_is_said(home: Path) -> None:
    """And a code that says something else is not explained away."""
    assert refusal(mine(home)) is None
    assert refusal(home / "not there yet", errno.EACCES) is None
    assert refusal(mine(home), errno.EIO) is None
    assert (full(home), belonging(home), own(home)) == (None, None, True)


def test_a_file_on_the_way(home: Path) -> None:
    found = refusal(mine(home, "file") / "deeper" / "pool.db", errno.ENOTDIR)
    assert found is not None
    assert (found.culprit, found.what) == (home / "file", "is a file, where a folder has to be")
    assert found.of(home / "file" / "deeper" / "pool.db") == f"{home / 'file'} is a file, where a folder has to be"
    assert found.of(home / "file").startswith("it is a file")


@root
def test_a_stranger_s_file_in_a_folder_of_ours(home: Path) -> None:
    """The whole folder becomes ours again: there may be more of them."""
    file = mine(home)
    os.chown(file, NOBODY, NOBODY)
    me = user(os.geteuid())
    found = refusal(file)
    assert found == belonging(file)
    assert found is not None
    assert found.of(file) == f"it belongs to {user(NOBODY)}, and you are {me}"
    assert found.remedy == f"Run `sudo chown -R {me} {home}`: something was run as another user here."
    assert not own(file)


@root
def test_the_folder_of_another_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told to take it. Without the variable there is none to unset."""
    file = mine(home)
    for path in (file, home):
        os.chown(path, NOBODY, NOBODY)
    found = refusal(file)
    assert found is not None
    assert found.culprit == home
    assert found.remedy == "A pool is one user's: set CODEX_ROTATE_HOME to a folder of your own, or unset it."
    monkeypatch.delenv("CODEX_ROTATE_HOME")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    paths.make_private_folder(paths.home())
    os.chown(paths.home(), NOBODY, NOBODY)
    found = refusal(paths.pool_file())
    assert found is not None
    assert found.remedy == "A pool is one user's: set CODEX_ROTATE_HOME to a folder of your own."


@root
def test_a_name_with_a_space_can_be_typed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is suggested is what a shell takes."""
    spaced = home.parent / "our s"
    home.rename(spaced)
    file = mine(spaced)
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(spaced))
    os.chown(file, NOBODY, NOBODY)
    found = refusal(file)
    assert found is not None
    assert f"'{spaced}'`" in found.remedy


def test_a_full_disk_is_said_only_where_it_can_be_the_reason(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = mine(home)
    assert refusal(file, errno.EDQUOT) == DiskRefusal(
        file, "is on a disk that is full, or this user's share of it", access.ROOM
    )
    monkeypatch.setattr(access, "LITTLE", 1 << 62)  # what is free now is little
    assert full(home) == DiskRefusal(home, "is on a disk that is full", access.ROOM)
    assert refusal(file, errno.ENOSPC) == DiskRefusal(file, "is on a disk that is full", access.ROOM)
    assert refusal(file) is None


def test_what_can_only_be_read(home: Path) -> None:
    """Also where the folder is not there yet: nobody could make it."""
    found = refusal(home / "a" / "b", errno.EROFS)
    assert found is not None
    assert (found.culprit, found.what) == (home, "is on a disk that can only be read")


def test_whether_something_is_there(home: Path) -> None:
    file = mine(home)
    assert (there(file), there(home / "no"), there(file / "below")) == (True, False, False)
    assert (seen(file), seen(home / "no"), seen(Path("x" * 5000))) == (True, False, False)
    with pytest.raises(OSError, match="too long"):
        there(Path("x" * 5000))


def test_a_user_without_a_name() -> None:
    assert user(3_999_999_999) == "user 3999999999"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("(it belongs to ann, and you are b.ob-1). A", "(it belongs to another user, and you are this user). A"),
        ("x belong to root, and you are ann.", "x belong to root, and you are this user."),
        ("Run `sudo chown -R ann /h`: do", "Run `sudo chown -R USER /h`: do"),
        ("it belongs to nobody, and you are root", "it belongs to nobody, and you are root"),
        ("it belongs to user 501, and you are user 502", "it belongs to another user, and you are this user"),
        ("ann was signed out", "ann was signed out"),
    ],
)
def test_a_report_names_nobody(said: str, kept: str) -> None:
    assert access.nameless(said) == kept
