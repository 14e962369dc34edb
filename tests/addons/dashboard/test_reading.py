"""The page reads in threads of its own, and never makes a pool where there is none."""

import threading
from pathlib import Path

import pytest

from accounts.errors import StoreLost
from accounts.store.store import Store
from addons.dashboard.reading import PageReader
from config import paths


async def test_nothing_is_read_on_the_loop_s_thread(store: Store) -> None:
    reader = PageReader(paths.pool_file())
    names = [await reader.pool(lambda _: threading.current_thread().name)]
    names.append(await reader.aside(lambda: threading.current_thread().name))
    reader.close()
    assert [each.rpartition("_")[0] for each in names] == ["page pool", "page ledger"]


async def test_a_file_that_is_gone_is_not_made(own_home: Path) -> None:
    reader = PageReader(paths.pool_file())
    with pytest.raises(StoreLost):
        await reader.pool(lambda store: store.accounts())
    reader.close()
    assert not paths.pool_file().exists()


async def test_a_file_that_goes_away_while_it_is_open_and_comes_back(store: Store, tmp_path: Path) -> None:
    reader, place = PageReader(paths.pool_file()), paths.pool_file()
    assert len(await reader.pool(lambda opened: opened.accounts())) == 2
    place.rename(tmp_path / "aside.db")
    with pytest.raises(StoreLost):
        await reader.pool(lambda opened: opened.accounts())
    (tmp_path / "aside.db").rename(place)
    assert len(await reader.pool(lambda opened: opened.accounts())) == 2
    reader.close()


async def test_news_of_others_are_told_by_a_number(store: Store) -> None:
    reader = PageReader(paths.pool_file())
    before = await reader.pool(reader.generation)
    assert await reader.pool(reader.generation) == before
    store.count("anything").result()
    assert await reader.pool(reader.generation) != before
    reader.close()
