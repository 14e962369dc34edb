"""The key of the owner's own commands: made where the system does not tell users apart, once."""

from pathlib import Path

import pytest

from accounts.model import fingerprint
from accounts.people.keys import LOCAL
from accounts.store.store import Store
from cli.running.local_key import LocalKeyUnwritable, ensure


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "client.key"


def test_where_users_are_told_apart_none_is_made(file: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "pool.db") as store:
        assert not ensure(store, file, told=True)
        assert store.client_keys() == {}
    assert not file.exists()


def test_elsewhere_one_is_made_and_kept(file: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "pool.db") as store:
        assert ensure(store, file, told=False)
        made = file.read_text()
        assert store.client_keys() == {fingerprint(made): LOCAL}
        assert file.stat().st_mode & 0o777 == 0o600
        assert not ensure(store, file, told=False)
        assert file.read_text() == made


@pytest.mark.parametrize("lost", ["file", "pool"])
def test_of_a_half_of_it_a_whole_one_is_made(file: Path, tmp_path: Path, lost: str) -> None:
    with Store(tmp_path / "pool.db") as store:
        ensure(store, file, told=False)
        if lost == "file":
            file.unlink()
        else:
            store.remove_client_key(LOCAL).result()
        assert ensure(store, file, told=False)
        assert store.client_keys() == {fingerprint(file.read_text()): LOCAL}


def test_where_it_cannot_be_written_none_is_made(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with Store(tmp_path / "pool.db") as store:
        with pytest.raises(LocalKeyUnwritable):
            ensure(store, tmp_path / "taken" / "client.key", told=False)
        assert store.client_keys() == {}
