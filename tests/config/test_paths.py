"""One private folder for everything of ours; the official client's own places are respected."""

import os
import stat
from pathlib import Path

import pytest

from config import groups, paths

posix = pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")


def test_one_variable_moves_everything(tmp_path: Path) -> None:
    environ = {"CODEX_ROTATE_HOME": str(tmp_path)}
    assert paths.home(environ) == tmp_path
    assert paths.pool_file(environ) == tmp_path / "pool.db"
    assert paths.backups_folder(environ) == tmp_path / "backups"
    assert paths.config_file(environ) == tmp_path / "config.toml"
    assert paths.ca_folder(environ) == tmp_path / "ca"
    assert paths.debug_ca_folder(environ) == tmp_path / "debug-ca"


def test_without_it_the_platform_says_where() -> None:
    assert paths.home({}).name == "codex-rotate"


def test_the_program_of_a_clone_is_where_it_is_imported_from() -> None:
    """In an installation the program is itself a package: tests/test_wheel.py."""
    assert (paths.IMPORTED_FROM / "codex_rotate.py").is_file()
    assert (paths.PROGRAM / "rotate.py").is_file()


@pytest.mark.parametrize("chosen", ["pool", "./pool", "..", " ", "~nobody-of-that-name/pool"])
def test_a_relative_home_is_refused(chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be another pool in every folder. The message has the whole path that was probably meant."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(paths.UnusableHome, match=r"CODEX_ROTATE_HOME is .* Set it to a whole path") as told:
        paths.home({"CODEX_ROTATE_HOME": chosen})
    assert str(tmp_path / chosen) in str(told.value)
    assert (told.value.exit_code, "\n" in str(told.value)) == (2, False)


@pytest.mark.parametrize("chosen", ["/tmp/a\nb", "/tmp/a\0b", "/tmp/a\x7f", "/tmp/a\r"])
def test_a_home_with_a_control_character_is_refused(chosen: str) -> None:
    with pytest.raises(paths.UnusableHome, match="control character") as told:
        paths.home({"CODEX_ROTATE_HOME": chosen})
    assert str(told.value).isprintable()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(paths.UnusableHome, match="which is a file"):
        paths.home({"CODEX_ROTATE_HOME": str(tmp_path / "file")})


def test_homes_that_are_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is missing, one with odd letters, one below the user's own, and none at all."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for chosen in ("not there", "with ümläut and 'quotes'", "\udcff"):
        assert paths.home({"CODEX_ROTATE_HOME": str(tmp_path / chosen)}) == tmp_path / chosen
    assert paths.home({"CODEX_ROTATE_HOME": "~/x"}) == tmp_path / "x"
    assert paths.home({"CODEX_ROTATE_HOME": ""}) == paths.home({})


def test_the_official_clients_folder_is_where_the_client_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a relative one from the folder in which it was started."""
    monkeypatch.chdir(tmp_path)
    assert paths.codex_home({"CODEX_HOME": "here"}) == tmp_path / "here"
    assert paths.codex_auth_file({"CODEX_CLI_AUTH_PATH": "a.json"}) == tmp_path / "a.json"
    assert paths.codex_accounts_file({"CODEX_CLI_ACCOUNTS_PATH": "b.json"}) == tmp_path / "b.json"


def test_settled_paths_mean_the_same_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program that is started elsewhere finds there is what we found here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    environ = {
        "CODEX_HOME": "here",
        "CODEX_CLI_AUTH_PATH": "~/a.json",
        "CODEX_CLI_ACCOUNTS_PATH": "",
        "CODEX_ROTATE_HOME": "~/pool",
        "OTHER": "here",
    }
    before = [paths.codex_home(environ), paths.codex_auth_file(environ), paths.home(environ)]
    paths.settle(environ)
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/nowhere")
    assert [paths.codex_home(environ), paths.codex_auth_file(environ), paths.home(environ)] == before
    assert (environ["OTHER"], environ["CODEX_CLI_ACCOUNTS_PATH"]) == ("here", "")


def test_settling_does_not_make_a_relative_home_acceptable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"CODEX_ROTATE_HOME": "pool"}
    paths.settle(environ)
    with pytest.raises(paths.UnusableHome):
        paths.home(environ)


def test_the_official_clients_folder_and_its_login_can_be_named() -> None:
    assert paths.codex_home({}) == Path.home() / ".codex"
    assert paths.codex_auth_file({"CODEX_HOME": "/a"}) == Path("/a/auth.json")
    assert paths.codex_auth_file({"CODEX_HOME": "/a", "CODEX_CLI_AUTH_PATH": "/b/login.json"}) == Path("/b/login.json")


def test_the_file_of_several_logins_can_be_named() -> None:
    assert paths.codex_accounts_file({"CODEX_HOME": "/a"}) == Path("/a/accounts.json")
    assert paths.codex_accounts_file({"CODEX_HOME": "/a", "CODEX_CLI_ACCOUNTS_PATH": "/b/c"}) == Path("/b/c")


@posix
def test_a_folder_is_made_for_its_owner_only_and_an_open_one_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    paths.make_private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    paths.make_private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@posix
def test_a_file_others_can_read_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.touch(mode=0o644)
    paths.make_private_file(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@posix
def test_a_mode_is_never_set_through_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.touch()
    target.chmod(0o644)
    link.symlink_to(target)
    paths.make_private_file(link)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


@posix
@pytest.mark.parametrize("mode", [0o000, 0o200])
def test_what_its_owner_may_not_read_can_be_closed_too(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "f"
    file.touch()
    file.chmod(mode)
    paths.make_private_file(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@posix
@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_folder_that_everybody_may_change_holds_nothing_of_ours(tmp_path: Path, through_a_link: bool) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    place = shared / "home"
    if through_a_link:
        place = tmp_path / "link"
        place.symlink_to(shared / "home")
    with pytest.raises(paths.UnsafePlace, match="every user"):
        paths.make_private_folder(place)
    assert not (shared / "home").exists()
    shared.chmod(0o1777)  # as /tmp: only its owner can replace what is in it
    if not through_a_link:
        paths.make_private_folder(place)


@posix
@pytest.mark.parametrize(("others", "refused"), [((), False), (("ann",), True), (("ann", "bob"), True)])
def test_a_folder_that_others_of_a_group_may_change_holds_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: tuple[str, ...], refused: bool
) -> None:
    """One whose group is this user's alone may, as a umask of 002 makes it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    asked: list[int] = []
    monkeypatch.setattr(groups, "others_in", lambda gid: asked.append(gid) or others)
    monkeypatch.setattr(os, "geteuid", lambda: shared.stat().st_uid or 4242)
    said = paths.unsafe(shared / "home")
    assert bool(said) is refused
    assert asked == [shared.stat().st_gid]
    if refused:
        assert f"{shared} may be changed by ann{' and 1 more' if len(others) > 1 else ''}, by its group" in said
        assert f"chmod g-w {shared}" in said
        with pytest.raises(paths.UnsafePlace):
            paths.make_private_folder(shared / "home")
        shared.chmod(0o1770)
        assert paths.unsafe(shared / "home") == ""
    shared.chmod(0o750)
    assert paths.unsafe(shared / "home") == ""


@posix
def test_root_is_asked_about_no_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container its numbers are those of the host."""
    tmp_path.chmod(0o770)
    monkeypatch.setattr(groups, "others_in", lambda _: ("ann",))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert paths.unsafe(tmp_path / "home") == ""


@posix
def test_a_folder_of_somebody_else_holds_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.geteuid():  # what is root's is refused where it is opened
        os.chown(tmp_path, 4242, -1)
    somebody_else = tmp_path.stat().st_uid + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody_else)
    with pytest.raises(paths.UnsafePlace, match="another user"):
        paths.make_private_folder(tmp_path)


@posix
def test_a_folder_of_roots_is_left_to_those_who_open_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        pytest.skip("root alone makes folders of root's")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert paths.unsafe(tmp_path) == ""
