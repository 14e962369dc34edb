"""Who listens hears what has changed, once; who does not read gets nothing more, and is let go of."""

import asyncio
from dataclasses import dataclass, field

import pytest

from addons.dashboard import feed
from addons.dashboard.contents import Subject
from addons.dashboard.feed import ALIVE, ALIVE_SECONDS, MOST_OF_ONE, POLL, STUCK_SECONDS, Feed, Listener, event
from tests.builders import Clock

TURNS = Subject("turns", "", ())


@dataclass
class Browser:
    """One that reads, or does not."""

    reads: bool = True
    may: bool = True
    name: str = ""
    heard: list[bytes] = field(default_factory=list)
    ended: bool = False

    async def send(self, said: bytes) -> None:
        self.heard.append(said)
        if not self.reads:
            await asyncio.Event().wait()

    def allowed(self) -> bool:
        return self.may

    def browser(self) -> str:
        return self.name

    def end(self) -> None:
        self.ended = True


async def test_what_is_as_it_was_is_not_said_again() -> None:
    browser = Browser()
    listener = Listener(browser)
    for said in (b"a", b"a", b"b", b"b", b"a"):
        listener.offer(said, 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert browser.heard == [b"a", b"b", b"a"]


async def test_a_silence_is_broken_now_and_then() -> None:
    browser = Browser()
    listener = Listener(browser)
    for now in (0.0, 1.0, ALIVE_SECONDS + 1, ALIVE_SECONDS + 2):
        listener.offer(ALIVE, 100 + now)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert browser.heard == [ALIVE, ALIVE]


async def test_a_browser_that_never_reads_has_one_view_waiting_and_is_let_go_of() -> None:
    browser = Browser(reads=False)
    listener = Listener(browser)
    for number in range(1000):
        listener.offer(b"view %d" % number, number / 100)
        await asyncio.sleep(0)
    assert browser.heard == [b"view 0"]
    assert not browser.ended
    listener.offer(b"more", STUCK_SECONDS + 1)
    assert browser.ended


async def test_one_that_breaks_is_let_go_of() -> None:
    class Broken(Browser):
        async def send(self, said: bytes) -> None:
            raise ConnectionError

    browser = Broken()
    Listener(browser).offer(b"a", 0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert browser.ended


async def test_a_view_is_drawn_once_for_all_who_see_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "EVERY", {"turns": 0.01})
    drawn, said, enough = 0, "a", asyncio.Event()

    async def draw(_: Subject) -> str:
        nonlocal drawn
        drawn += 1
        if drawn > 20:
            enough.set()
        return said

    hub = Feed(draw, Clock())
    browsers = [Browser(name=str(number)) for number in range(10)]
    listeners = [hub.join(TURNS, each) for each in browsers]
    await asyncio.wait_for(enough.wait(), 10)
    assert {tuple(each.heard) for each in browsers} == {(event("a"),)}
    assert drawn < 40
    browsers[0].may = False
    enough.clear()
    drawn = 0
    await asyncio.wait_for(enough.wait(), 10)
    assert [each.ended for each in browsers] == [True, *([False] * 9)]
    for each in listeners:
        hub.leave(TURNS, each)
    before = drawn
    await asyncio.sleep(0.05)
    assert drawn == before  # nobody looks


async def test_the_many_pages_of_one_browser_leave_it_connections_for_more() -> None:
    """A browser has six to a server; a page that waits for a seventh would show nothing."""

    async def draw(_: Subject) -> str:
        return "a"

    hub, pages = Feed(draw, Clock()), [Browser(name="one") for _ in range(10)]
    other = Browser(name="other")
    hub.join(TURNS, other)
    for each in pages:
        hub.join(TURNS, each)
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert [POLL in each.heard for each in pages] == [True] * 7 + [False] * MOST_OF_ONE
    assert POLL not in other.heard
    hub.close()


async def test_a_look_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "EVERY", {"turns": 0.01})
    looks, there = 0, asyncio.Event()

    async def draw(_: Subject) -> str:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError
        there.set()
        return "b"

    hub, browser = Feed(draw, Clock()), Browser()
    hub.join(TURNS, browser)
    await asyncio.wait_for(there.wait(), 10)
    await asyncio.sleep(0.02)
    hub.close()
    assert browser.heard == [ALIVE, event("b")]
    assert browser.ended


def test_a_view_is_one_line_of_data_whatever_is_in_it() -> None:
    assert event('a\n\nevent: x\ndata: "').count(b"\n") == 3
