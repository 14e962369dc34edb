"""Whoever changes an account's tokens is alone with them; who waits too long is told so."""

import stat
from pathlib import Path

import pytest

from accounts.errors import AccountBusy, StoreUnusable
from accounts.tokens import locks
from accounts.tokens.locks import AccountLocks


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.01)
    monkeypatch.setattr(locks, "QUEUE_SECONDS", 0.01)
    return tmp_path / "locks"


def test_an_account_has_one_holder(folder: Path) -> None:
    """Another account is free meanwhile, and this one afterwards."""
    mine, other = AccountLocks(folder), AccountLocks(folder)
    with mine.account("a"):
        with pytest.raises(AccountBusy, match="try again"), other.account("a"):
            pass
        with other.account("b"):
            pass
    with other.account("a"):
        pass


def test_one_token_at_a_time_leaves_a_machine(folder: Path) -> None:
    """Which keeps nobody from the accounts."""
    mine, other = AccountLocks(folder), AccountLocks(folder)
    with mine.sending():
        with pytest.raises(AccountBusy), other.sending():
            pass
        with other.account("b"):
            pass


def test_an_error_inside_frees_the_lock(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), AccountLocks(folder).account("a"):
        raise ZeroDivisionError
    with AccountLocks(folder).account("a"):
        pass


def test_locks_are_private(folder: Path) -> None:
    with AccountLocks(folder).account("a"), AccountLocks(folder).sending():
        modes = {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}
    assert (modes, stat.S_IMODE(folder.stat().st_mode)) == ({0o600}, 0o700)


def test_a_folder_that_cannot_be_made_is_an_error_of_the_store(folder: Path) -> None:
    folder.write_text("a file is in the way")
    with pytest.raises(StoreUnusable, match="locks"), AccountLocks(folder).account("a"):
        pass
