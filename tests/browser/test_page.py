"""The page in a real Chromium: every view and action, news, what it looks like small and large, and who can use it.

All of it is one file, because the browser's library keeps a loop of its own for as long as it runs.
"""

import os
import re
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import pytest

from accounts.people.keys import ClientKey, new_secret
from accounts.people.people import Person
from accounts.store.store import Store
from addons.dashboard.views.frame import VIEWS, path_of
from config import clock
from tests.browser import world
from tests.browser.window import Site, Window
from tests.harness import ROOT, eventually, free_port

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
AXE: Final = ROOT / "tests" / "e2e" / "node_modules" / "axe-core" / "axe.min.js"
QUIET: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZE_AND_COLOUR: Final = ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]
"""What a wide screen and dark colours may change of what axe finds."""
WORK, OLD = world.seat(0), world.seat(5)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH")


@pytest.fixture(scope="module")
def window() -> Iterator[Window]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield Window(opened)
        opened.close()


@pytest.fixture(scope="module")
def sites(window: Window, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Site]]:
    """Pages of pools with so many accounts, each started once."""
    known: dict[int, Site] = {}

    def site(accounts: int) -> Site:
        if accounts not in known:
            folder = tmp_path_factory.mktemp(f"pool-of-{accounts}")
            world.fill(folder / "home", clock.now(), accounts)
            known[accounts] = Site(window, folder / "home", free_port(), folder / "turns.json")
            known[accounts].run(0)
        if known[accounts].process is None:
            known[accounts].start()
        return known[accounts]

    yield site
    for each in known.values():
        each.stop()


@pytest.fixture
def site(sites: Callable[[int], Site]) -> Iterator[Site]:
    """The usual one. Also a test that fails leaves it as it was, and nothing was asked of anybody else."""
    found = sites(len(world.NAMES))
    found.window.asked.clear()
    found.window.complaints.clear()
    with Store(found.home / "pool.db") as store:
        before = world.state_of(store)
        yield found
        found.run(0)
        world.put_right(store, before)
    assert [each for each in found.window.asked if not each.startswith((f"{found.url}/", "about:"))] == []


@pytest.fixture
def store(site: Site) -> Iterator[Store]:
    """The pool, as a command has it open."""
    with Store(site.home / "pool.db") as opened:
        yield opened


def account(store: Store, key: str) -> Any:
    return next(each for each in store.accounts() if each.key == key)


# --- how it looks ----------------------------------------------------------------------------------------------------


def axe(page: Any, rules: Sequence[str], at: str = "body") -> list[tuple[str, str, list[str]]]:
    """What these rules, or tags of rules, have to say of the page as it is now."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    asked = "([at, rules]) => axe.run(at === 'body' ? document : at, {runOnly: rules, resultTypes: ['violations']})"
    found = page.evaluate(asked, [at, list(rules)])
    assert found["passes"]
    return [(page.url, each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found["violations"]]


def test_every_view_fits_its_screen_and_can_be_used_by_everybody(site: Site) -> None:
    """Nothing is cut off, nothing is asked of anybody else, and axe has nothing to say of contrast, names or order: on
    a phone of all of it, in the dark on a desk of what may be another one there, and on a wall of nothing more."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: scripts/install-codex")
    site.run(7)
    wrong: list[object] = []
    with site.looking() as page:
        for path in (*map(path_of, VIEWS), f"/account/{WORK.handle}"):
            page.set_viewport_size({"width": 390, "height": 844})
            page.emulate_media(color_scheme="light")
            page.goto(f"{site.url}{path}")
            if path in {"/timeline", "/decisions"}:
                page.locator("details.rotation summary").first.click()
            for width, scheme, rules in ((390, "light", RULES), (1280, "dark", SIZE_AND_COLOUR), (3840, "light", ())):
                page.set_viewport_size({"width": width, "height": 844})
                page.emulate_media(color_scheme=scheme)
                if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
                    wrong.append((path, width, "is wider than its screen"))
                wrong += axe(page, rules) if rules else []
    assert wrong == []
    assert site.window.complaints == []


@pytest.mark.parametrize("width", [390, 1280])
def test_an_open_menu_is_in_nobody_s_way(site: Site, width: int) -> None:
    """Neither does it cover a part of what else can be chosen, nor is it cut off."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: scripts/install-codex")
    wrong: list[object] = []
    with site.looking(viewport={"width": width, "height": 2000}) as page:  # nothing is beneath the head
        for label in ("work", "team-b", "spare", "old laptop"):
            row = page.locator("tr", has=page.locator("th a", has_text=label)).first
            row.locator("summary").click()
            wrong += axe(page, ("target-size", "color-contrast"), "main")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            page.keyboard.press("Escape")
    assert wrong == []


def test_who_is_not_let_in_yet_can_be(site: Site) -> None:
    """The token or a key may be typed; a wrong one opens nothing, and a script never sees the cookie."""
    with site.window.shared() as page:
        page.goto(f"{site.url}/usage")
        assert "Who is it?" in page.inner_text("body")
        assert "work" not in page.content()
        page.fill("#key", "a wrong token")
        page.click("text=Enter")
        assert "That opens nothing" in page.inner_text("body")
        page.fill("#key", site.token)
        page.click("text=Enter")
        page.wait_for_selector("h1:has-text('Accounts')")
        assert page.evaluate("document.cookie") == ""
        assert site.token not in page.url
        page.click("text=Leave")
        page.wait_for_selector("text=Who is it?")


def test_the_token_leaves_the_address_and_a_wrong_one_shows_nothing(site: Site) -> None:
    with site.looking("/timeline") as page:
        assert page.url == f"{site.url}/timeline"
    with site.window.shared() as page:
        page.goto(f"{site.url}/?token=wrong")
        assert "That opens nothing" in page.inner_text("body")


def test_somebody_with_a_key_sees_what_is_theirs_and_changes_nothing(site: Site, store: Store) -> None:
    secret = new_secret()
    store.people.put(Person(name="ann")).result()
    store.people.put_key(ClientKey(name="ann-laptop", digest="", person="ann"), secret).result()
    site.run(12)
    with site.window.shared() as page:

        def is_let_in() -> bool:
            page.goto(site.url)
            page.fill("#key", secret)
            page.click("text=Enter")
            return bool(page.locator(".who:has-text('ann')").count())

        assert eventually(is_let_in), "as soon as the proxy has read of the key"
        assert page.locator("header nav a").all_inner_texts() == ["Live turns", "Usage", "Decisions"]
        rows(page, 3)
        for path, theirs in {"/turns": "lab", "/usage": "gpt-", "/decisions": "delivered"}.items():
            page.goto(f"{site.url}{path}")
            text, html = page.inner_text("main"), page.content()
            assert theirs in text
            assert not [name for name in ("bob", "cleo", *world.NAMES) if re.search(rf"\b{name}\b", text)], path
            assert "@example.com" not in html
            assert page.locator("#live form[method=post], [form=act], [href^='/account/']").count() == 0, path
        for path in ("/timeline", "/findings", f"/account/{WORK.handle}"):
            answer = page.request.get(f"{site.url}{path}")
            assert answer.status == 403, path
            assert "work" not in answer.text()
        store.people.remove("ann").result()
        assert eventually(lambda: page.goto(f"{site.url}/usage").status == 401)


# --- what can be done ------------------------------------------------------------------------------------------------


def do(page: Any, label: str, words: str, wait: str) -> None:
    """Open the menu of an account and choose."""
    row = page.locator("tr", has=page.locator("th a", has_text=label)).first
    row.locator("summary").click()
    row.locator(".menu").get_by_text(words, exact=True).click()
    page.wait_for_selector(f"#notice:has-text('{wait}')")


def undo(page: Any, wait: str) -> None:
    page.click("#notice button")
    page.wait_for_selector(f"#notice:has-text('{wait}')")


def test_accounts_are_paused_chosen_and_woken_and_each_is_taken_back(site: Site, store: Store) -> None:
    with site.looking() as page:
        do(page, "work", "Pause", "work is paused")
        assert not account(store, WORK.key).enabled
        page.wait_for_selector("tr:has-text('work') .state.off")
        undo(page, "work may serve again")
        assert account(store, WORK.key).enabled

        do(page, "old laptop", "Resume", "old laptop may serve again")
        assert account(store, OLD.key).enabled
        undo(page, "old laptop is paused")

        do(page, "home", "Everybody uses it", "everybody uses home")
        assert store.chosen_account() == world.seat(1).key
        page.wait_for_selector("button:has-text('Let the pool choose')")
        undo(page, "the pool chooses for each thread again")
        assert store.chosen_account() == ""

        do(page, "team-b", "End its rest", "The rest of team-b is over")
        assert store.cooldowns() == {}
        undo(page, "team-b rests again")
        assert list(store.cooldowns()) == [world.seat(3).key]
        assert page.url == f"{site.url}/"
    assert site.window.complaints == []


def save(page: Any, name: str, value: str, wait: str) -> None:
    """Write it into a form of an account."""
    page.fill(f"#{name}", value)
    page.click(f"form:has(#{name}) button")
    page.wait_for_selector(f"#notice:has-text('{wait}')")


def test_an_account_s_name_priority_tags_and_reserve_are_set_and_taken_back(site: Site, store: Store) -> None:
    def state() -> tuple[Any, ...]:
        work = account(store, WORK.key)
        return work.label, work.priority, work.tags, work.reserve_percent

    with site.looking(f"/account/{WORK.handle}") as page:
        save(page, "label", "office", "work is now called office")
        assert state() == ("office", 0, (), 0)
        undo(page, "office is now called work")
        save(page, "priority", "9", "work has priority 9:")
        assert state() == ("work", 9, (), 0)
        undo(page, "work has priority 0:")
        save(page, "tags", "fast, team", "work has the tags fast, team")
        assert state() == ("work", 0, ("fast", "team"), 0)
        save(page, "tags", "", "work has no tags")
        undo(page, "work has the tags fast, team")
        save(page, "reserve", "20", "20 % of each window of work are kept")
        assert state() == ("work", 0, ("fast", "team"), 20)
        undo(page, "Nothing of work is kept")

        save(page, "label", "home", "home")
        page.wait_for_selector("#notice .bad")
        page.wait_for_selector("text=by the owner, on the page")


def test_without_javascript_every_view_has_its_table_and_changes_work(site: Site, store: Store) -> None:
    site.run(3)
    with site.window.alone(java_script_enabled=False) as page:
        page.goto(f"{site.url}/?token={site.token}")
        for path, words in {
            "/": "nearly spent",
            "/turns": "gpt-6-sol",
            "/timeline": "Rotations",
            "/usage": "By project",
            "/decisions": "delivered",
            "/findings": "Looked at",
        }.items():
            page.goto(f"{site.url}{path}")
            assert words in page.inner_text("main")
        page.goto(site.url)
        do(page, "work", "Pause", "work is paused")
        undo(page, "work may serve again")
        assert account(store, WORK.key).enabled


def test_the_keyboard_is_enough(site: Site) -> None:
    with site.looking() as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.locator("details.dropdown summary").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("details.dropdown[open]")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Pause"
        page.keyboard.press("Escape")
        assert page.locator("details.dropdown[open]").count() == 0
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_rotation_on_the_timeline_leads_to_its_reason(site: Site) -> None:
    with site.looking("/timeline") as page:
        page.locator("svg.lane a").last.click()
        shown = page.locator("details.rotation[open]")
        shown.wait_for()
        for words in ("Upstream said", "Who was asked", "What it cost"):
            assert words in shown.inner_text()


# --- news ------------------------------------------------------------------------------------------------------------


def test_what_changes_elsewhere_is_seen_at_once_and_a_menu_stays_open(site: Site, store: Store) -> None:
    with site.looking() as page:
        page.wait_for_selector("tr:has-text('home')")
        page.locator("tr:has-text('team-a') summary").click()
        store.update_account(WORK.key, enabled=False).result()
        page.wait_for_selector("tr:has-text('work') .state.off")
        assert page.locator("tr:has-text('team-a') details[open]").count() == 1
        store.update_account(WORK.key, enabled=True).result()
        page.wait_for_selector("tr:has-text('work') .state.good")


def test_two_hundred_turns_come_and_go_by_themselves(site: Site) -> None:
    with site.looking("/turns") as page:
        page.wait_for_selector("text=No turn is under way")
        site.run(200)
        rows(page, 200)
        site.run(3)
        rows(page, 3)
    assert site.window.complaints == []


def test_a_thousand_accounts_are_found_quickly(sites: Callable[[int], Site]) -> None:
    many = sites(1000)
    with many.looking() as page:
        assert "1000 accounts, page 1 of 10" in page.inner_text("main")
        assert len(page.content()) < 400_000
        worked = processor_seconds(many)
        page.fill("#q", "seat-0421")
        page.press("#q", "Enter")
        page.wait_for_selector("a:has-text('seat-0421')")
        assert page.locator("tbody tr").count() == 1
        do(page, "seat-0421", "Pause", "seat-0421 is paused")
        assert "q=seat-0421" in page.url
        assert processor_seconds(many) - worked < 3


def test_a_page_that_is_open_while_its_proxy_starts_again_comes_back(site: Site, store: Store) -> None:
    with site.looking() as page:
        page.wait_for_selector("tr:has-text('work')")
        site.stop()
        page.wait_for_selector("#connection:not([hidden])")
        assert "does not answer" in page.inner_text("#connection")
        store.update_account(WORK.key, enabled=False).result()
        site.start()
        page.wait_for_selector("#connection", state="hidden")
        page.wait_for_selector("tr:has-text('work') .state.off")


def test_a_pool_that_somebody_locks_is_said_and_comes_back(site: Site, store: Store) -> None:
    with site.looking() as page, closing(sqlite3.connect(site.home / "pool.db", autocommit=True)) as other:
        page.wait_for_selector("tr:has-text('work') .state.good")
        other.execute("BEGIN EXCLUSIVE")
        do(page, "work", "Pause", "written by another process")
        page.wait_for_selector("#notice .bad")
        assert account(store, WORK.key).enabled
        other.execute("ROLLBACK")
        do(page, "work", "Pause", "work is paused")
        page.wait_for_selector("tr:has-text('work') .state.off")
        assert not account(store, WORK.key).enabled


def test_more_pages_than_a_browser_has_connections_are_told_at_once(site: Site, store: Store) -> None:
    with site.looking() as first:
        pages = [first, *(site.window.watched(first.context.new_page()) for _ in range(6))]
        for page in pages:
            page.goto(site.url)
            page.wait_for_selector("tr:has-text('work') .state.good")
        store.update_account(WORK.key, enabled=False).result()
        for page in pages:
            page.wait_for_selector("tr:has-text('work') .state.off")
    assert site.window.complaints == []


def test_browsers_that_never_read_cost_no_more_than_one_view_each(site: Site) -> None:
    """And nobody else waits for them."""
    site.run(200)
    with ExitStack() as open_ones, site.looking("/turns") as page:
        cookie = next(iter(page.context.cookies()))
        head = f"Host: 127.0.0.1:{site.port}\r\nCookie: {cookie['name']}={cookie['value']}\r\n\r\n"
        rows(page, 200)
        for _ in range(10):
            deaf = open_ones.enter_context(closing(socket.socket()))
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.connect(("127.0.0.1", site.port))
            deaf.sendall(f"GET /events?view=turns HTTP/1.1\r\n{head}".encode())
        before = memory(site)
        for count in (150, 200, 150):
            site.run(count)
            rows(page, count)
        assert memory(site) - before < 20_000_000


def rows(page: Any, count: int) -> None:
    """Wait until the table of what is live has so many."""
    page.wait_for_selector(f"#live tbody tr:nth-child({count}):last-child", state="attached")


def processor_seconds(site: Site) -> float:
    """Of the process that serves the page; nothing where the system does not say."""
    assert site.process is not None
    stat = Path(f"/proc/{site.process.pid}/stat")
    if not stat.is_file():
        return 0.0
    user, system = stat.read_text("ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory(site: Site) -> int:
    """Bytes of the process that serves the page; nothing where the system does not say."""
    assert site.process is not None
    status = Path(f"/proc/{site.process.pid}/status")
    if not status.is_file():
        return 0
    found = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmRSS"))
    return int(found.split()[1]) * 1024
