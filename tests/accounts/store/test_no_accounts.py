"""Whoever has lost the pool's file is told the way back, and a new user is not."""

from pathlib import Path

import pytest

from accounts.store.no_accounts import no_accounts


@pytest.mark.parametrize("backups", [True, False])
def test_the_way_back_is_named_where_there_is_one(tmp_path: Path, backups: bool) -> None:
    if backups:
        (tmp_path / "backups").mkdir()
        (tmp_path / "backups" / "auto-1.db").touch()
    said = str(no_accounts(tmp_path / "pool.db"))
    assert said.startswith("The pool has no accounts yet. Run `codex-rotate login`")
    assert ("`codex-rotate backup restore NAME`" in said) is backups
