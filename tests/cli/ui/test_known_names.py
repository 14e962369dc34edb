"""Names for the shell's Tab key: read without a trace, and none where the pool does not tell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.people.keys import LOCAL
from accounts.store.store import Store
from cli.ui.known_names import complete_account, complete_backup, complete_client_key, complete_thread

type Run = Callable[..., Any]
type Fill = Callable[..., Any]


def test_labels_of_a_pool_in_use(home: Path, fill: Fill) -> None:
    """What a running proxy has just written is there, and its file is not waited for."""
    fill("ann")
    with Store(home / "pool.db") as store:
        key = store.accounts()[0].key
        store.update_account(key, label="bea").result()
        assert complete_account("") == ["bea"]
    assert complete_account("") == ["bea"]


def test_only_what_begins_so(fill: Fill) -> None:
    fill("ann", "anna", "bob")
    assert complete_account("an") == ["ann", "anna"]


def test_the_key_of_our_own_commands_is_not_offered(run: Run, fill: Fill, home: Path) -> None:
    """It cannot be taken back."""
    fill("ann")
    run("keys", "add", "laptop")
    with Store(home / "pool.db") as store:
        assert LOCAL in store.client_keys().values()
    assert complete_client_key("") == ["laptop"]


def test_backups_the_newest_first(run: Run, fill: Fill) -> None:
    fill("ann")
    for name in ("one", "two"):
        run("backup", "create", name)
    assert set(complete_backup("")) == {"one", "two"}
    assert complete_backup("tw") == ["two"]


@pytest.mark.parametrize("what", ["nothing", "damaged", "relative"])
def test_tab_has_no_errors_to_show(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """And makes nothing."""
    monkeypatch.chdir(tmp_path)
    if what == "damaged":
        home.mkdir()
        (home / "pool.db").write_bytes(b"not a database" * 99)
    if what == "relative":
        monkeypatch.setenv("CODEX_ROTATE_HOME", "pool")
    before = sorted(tmp_path.rglob("*"))
    for complete in (complete_account, complete_backup, complete_client_key, complete_thread):
        assert complete("") == []
    assert sorted(tmp_path.rglob("*")) == before
