"""A path that leads to no login is told in plain words, with what was probably meant."""

import os
from pathlib import Path

import pytest

from accounts.errors import BadAuthFile
from cli.login.import_paths import CannotImport, NotThere, Unreadable, nearest, read, read_one


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "logins").mkdir()
    (tmp_path / "logins" / "auth.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("logins/auth.jsn", "logins/auth.jsn is not there. Nothing was imported. Did you mean logins/auth.json?"),
        ("logins/AUTH.JSON", "logins/AUTH.JSON is not there. Nothing was imported. Did you mean logins/auth.json?"),
        (
            "login/auth.json",
            "there is no folder login. Nothing was imported. Did you mean logins/auth.json?",
        ),
        (
            "login/other.json",
            "there is no folder login. Nothing was imported. Did you mean logins?",
        ),
        ("logins/quite-another", "logins/quite-another is not there. Nothing was imported. Check the path."),
        ("$HOME/logins/auth.json", "Did you mean {here}/logins/auth.json?"),
        ("~/logins/auth.jso", "{here}/logins/auth.jso is not there. Nothing was imported. Did you mean {here}/logins/"),
        ("~nobody-of-that-name/auth.json", "there is no folder ~nobody-of-that-name. Nothing was imported. Check"),
        ("logins/auth.json/x", "there is no folder logins/auth.json. Nothing was imported."),
    ],
)
def test_a_mistyped_path(here: Path, path: str, said: str) -> None:
    with pytest.raises(NotThere) as told:
        read_one(path)
    assert said.format(here=here) in str(told.value)
    assert "codex login" not in str(told.value), "a new login does not mend a path"


def test_a_path_that_the_system_refuses(here: Path) -> None:
    (here / "loop.json").symlink_to("loop.json")
    for path in (here / "loop.json", here / ("x" * 300)):
        with pytest.raises(Unreadable, match=r"cannot be read \(.*\)\. Nothing was imported\. Check who owns it"):
            read_one(str(path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_and_a_folder_of_somebody_else(here: Path) -> None:
    for path in (here / "logins" / "auth.json", here / "logins"):
        path.chmod(0)
        with pytest.raises(Unreadable, match="Permission denied"):
            read_one(str(path))


def test_what_is_there_and_no_login_is_another_matter(here: Path) -> None:
    with pytest.raises(BadAuthFile, match="holds no ChatGPT login"):
        read_one(str(here / "logins" / "auth.json"))


def test_several_are_told_one_by_one(here: Path) -> None:
    """Without that nothing was imported, which may not be so; the same path twice is one."""
    found = read(["logins/auth.json", "nope", "nope"])
    assert [each.imported for each in found] == [None, None]
    assert [each.error for each in found] == [
        "logins/auth.json: it holds no ChatGPT login (tokens).",
        "nope is not there. Check the path.",
    ]


def test_an_empty_path_is_not_this_folder(here: Path) -> None:
    """A variable of the shell's that was not set must not import what lies around."""
    with pytest.raises(CannotImport, match="An empty path"):
        read_one("")
    assert [each.imported for each in read([""])] == [None]


def test_the_nearest_is_looked_for_in_the_deepest_folder_that_is_there(here: Path) -> None:
    assert nearest(here / "logins" / "a" / "b") == (None, here / "logins" / "a")
    assert nearest(Path("/no-such-folder-at-all/x")) == (None, Path("/no-such-folder-at-all"))
