"""One private folder for everything of ours; the official client's own places are respected."""

import os
import stat
from pathlib import Path

import pytest

from config import paths

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
