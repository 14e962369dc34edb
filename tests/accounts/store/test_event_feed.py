"""The history as it goes on, whoever writes it and whatever becomes of the file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from accounts.errors import StoreLost
from accounts.model import Event
from accounts.store.event_feed import EventFeed
from accounts.store.store import Store
from tests.builders import NOW


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Store]:
    """Another process, as the proxy is."""
    with Store(tmp_path / "pool.db") as opened:
        opened.record(happened(1)).result()
        yield opened


@pytest.fixture
def feed(writer: Store) -> Iterator[EventFeed]:
    with Store(writer.path) as reader:
        yield EventFeed(reader)


def happened(number: int) -> Event:
    return Event(at=NOW + number, kind="paused", detail=str(number))


def news(feed: EventFeed) -> list[str]:
    return [each.detail for each in feed.news(NOW)]


def test_each_event_comes_once_and_in_order(writer: Store, feed: EventFeed) -> None:
    assert [each.detail for each in feed.earlier] == ["1"]
    assert news(feed) == []
    writer.record(happened(2), happened(3)).result()
    writer.record(happened(4)).result()
    assert [news(feed), news(feed)] == [["2", "3", "4"], []]
    writer.count("other").result()
    assert news(feed) == []


def test_nothing_is_read_while_nobody_writes(writer: Store, feed: EventFeed) -> None:
    asked: list[str] = []
    feed.store.file._open.reader.set_trace_callback(asked.append)
    assert [news(feed) for _ in range(5)] == [[]] * 5
    assert set(asked) == {"PRAGMA data_version"}


def test_a_file_that_is_away_is_said_and_gone_on_with(writer: Store, feed: EventFeed) -> None:
    aside = writer.path.with_name("aside.db")
    writer.record(happened(2)).result()
    writer.close()
    writer.path.rename(aside)
    with pytest.raises(StoreLost, match="is not there any more"):
        news(feed)
    with pytest.raises(StoreLost):
        news(feed)
    aside.rename(writer.path)
    assert [news(feed), news(feed)] == [["2"], []]


def test_of_another_file_what_is_later_is_news(writer: Store, feed: EventFeed, tmp_path: Path) -> None:
    """As after `backup restore`: what was seen before is not seen again."""
    other = tmp_path / "other" / "pool.db"
    with Store(other) as restored:
        restored.record(Event(at=NOW - 9, kind="paused", detail="old"), happened(1), happened(5)).result()
    writer.close()
    other.replace(writer.path)
    with pytest.raises(StoreLost, match="is not the file that was opened"):
        news(feed)
    assert news(feed) == ["5"]
    with Store(writer.path) as again:
        again.record(happened(6)).result()
    assert news(feed) == ["6"]


def test_a_file_that_somebody_writes_for_long_loses_nothing(writer: Store, feed: EventFeed) -> None:
    with closing(sqlite3.connect(writer.path, autocommit=True)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("INSERT INTO event (at, kind, key, thread, detail) VALUES (?, 'paused', '', '', '2')", (NOW + 2,))
        other.execute("INSERT INTO change (writer) VALUES ('another')")
        assert news(feed) == []
        other.execute("COMMIT")
    assert news(feed) == ["2"]
