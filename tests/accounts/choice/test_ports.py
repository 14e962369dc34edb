"""The store is what the pool asks for."""

from pathlib import Path

from accounts.choice.pool import Pool
from accounts.choice.ports import Journal, Source
from accounts.store.store import Store


def test_a_store_is_a_journal_and_a_source(tmp_path: Path) -> None:
    with Store(tmp_path / "pool.db") as store:
        journal: Journal = store
        source: Source = store
        pool = Pool(journal)
        pool.load(source)
        assert len(pool.candidates) == 0
