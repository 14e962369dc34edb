"""The page in a real Chromium: every view and action, news, what it looks like small and large, and who can use it.

All of it is one file, because the browser's library keeps a loop of its own for as long as it runs.
"""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from accounts.store.store import Store
from accounts.views.live_turns import as_json
from addons.dashboard.views.frame import VIEWS, path_of
from config import clock
from config.page import token
from tests.browser import world
from tests.harness import PATIENCE, ROOT, START_SECONDS, Output, eventually, free_port, plain_environment

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
AXE: Final = ROOT / "tests" / "e2e" / "node_modules" / "axe-core" / "axe.min.js"
QUIET: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WORK, OLD = world.seat(0), world.seat(5)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH")


@dataclass
class Site:
    """A page that is served, and the browser that looks at it."""

    browser: Any
    home: Path
    port: int
    turns: Path
    process: subprocess.Popen[str] | None = None
    output: Output | None = None
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return token.known_token({"CODEX_ROTATE_HOME": str(self.home)})

    def start(self) -> None:
        env = {
            **plain_environment(),
            "CODEX_ROTATE_HOME": str(self.home),
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "tests.browser.page_alone", str(self.port), str(self.turns)]
        self.process = subprocess.Popen(
            command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        self.output = Output(self.process.stdout)
        self.output.wait_for("the page is at", seconds=START_SECONDS)

    def stop(self) -> None:
        assert self.process is not None
        assert self.output is not None
        self.process.kill()
        self.process.wait(PATIENCE)
        self.output.close()

    def run(self, count: int) -> None:
        """So many turns are under way from now on."""
        self.turns.write_text(as_json(world.turns(count, clock.now())))

    @contextmanager
    def looking(self, path: str = "/", *, enter: bool = True, **more: Any) -> Iterator[Any]:
        """A window of the owner's browser at this path."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | more)
        context.set_default_timeout(PATIENCE * 1000)
        try:
            page = context.new_page()
            page.on("request", lambda request: self.asked.append(request.url))
            page.on(
                "console", lambda said: self.complaints.append(said.text) if said.type in {"error", "warning"} else 0
            )
            page.on("pageerror", lambda error: self.complaints.append(str(error)))
            page.goto(f"{self.url}{path}?token={self.token}" if enter else f"{self.url}{path}")
            yield page
        finally:
            context.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def sites(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Site]]:
    """Pages of pools with so many accounts, each started once."""
    known: dict[int, Site] = {}

    def site(accounts: int) -> Site:
        if accounts not in known:
            folder = tmp_path_factory.mktemp(f"pool-of-{accounts}")
            world.fill(folder / "home", clock.now(), accounts)
            known[accounts] = Site(browser, folder / "home", free_port(), folder / "turns.json")
            known[accounts].run(0)
            known[accounts].start()
        return known[accounts]

    yield site
    for each in known.values():
        each.stop()


@pytest.fixture
def site(sites: Callable[[int], Site]) -> Iterator[Site]:
    """The usual one; whatever was changed in it is put right by the test that did so."""
    found = sites(len(world.NAMES))
    found.asked.clear()
    found.complaints.clear()
    yield found
    assert [each for each in found.asked if not each.startswith(f"{found.url}/")] == []
    found.run(0)


@pytest.fixture
def store(site: Site) -> Iterator[Store]:
    """The pool, as a command has it open."""
    with Store(site.home / "pool.db") as opened:
        yield opened


def account(store: Store, key: str) -> Any:
    return next(each for each in store.accounts() if each.key == key)


# --- how it looks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(390, 844, "light"), (1280, 900, "dark"), (3840, 2160, "light")]
)
def test_every_view_fits_its_screen_and_can_be_used_by_everybody(
    site: Site, width: int, height: int, scheme: str
) -> None:
    """Nothing is cut off, nothing is asked of anybody else, and axe has nothing to say of contrast, names or order."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: scripts/install-codex")
    site.run(7)
    axe, wrong = AXE.read_text("utf-8"), []
    with site.looking(viewport={"width": width, "height": height}, color_scheme=scheme) as page:
        for path in (*map(path_of, VIEWS), f"/account/{WORK.handle}"):
            page.goto(f"{site.url}{path}")
            if path in {"/timeline", "/decisions"}:
                page.locator("details.rotation summary").first.click()
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
            if width > 2000:
                continue  # the same colours and names as on a smaller one
            page.evaluate(axe)
            found = page.evaluate("tags => axe.run(document, {runOnly: tags})", RULES)
            assert len(found["passes"]) > 15
            wrong += [
                (path, each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found["violations"]
            ]
    assert wrong == []
    assert site.complaints == []


def test_who_is_not_let_in_yet_can_be(site: Site) -> None:
    """The token or a key may be typed; a wrong one opens nothing, and a script never sees the cookie."""
    with site.looking("/usage", enter=False) as page:
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
    with site.looking("/?token=wrong", enter=False) as page:
        assert "That opens nothing" in page.inner_text("body")


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
    assert site.complaints == []


def test_an_account_gets_another_name_and_priority_and_both_are_taken_back(site: Site, store: Store) -> None:
    with site.looking(f"/account/{WORK.handle}") as page:
        page.fill("#label", "office")
        page.click("form:has(#label) button")
        page.wait_for_selector("#notice:has-text('work is now called office')")
        assert account(store, WORK.key).label == "office"
        undo(page, "office is now called work")

        page.fill("#priority", "9")
        page.click("form:has(#priority) button")
        page.wait_for_selector("#notice:has-text('work has priority 9:')")
        undo(page, "work has priority 0:")
        assert (account(store, WORK.key).label, account(store, WORK.key).priority) == ("work", 0)

        page.fill("#label", "home")
        page.click("form:has(#label) button")
        page.wait_for_selector("#notice .bad")
        page.wait_for_selector("text=by the owner, on the page")


def test_without_javascript_every_view_has_its_table_and_changes_work(site: Site, store: Store) -> None:
    site.run(3)
    with site.looking(java_script_enabled=False) as page:
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
    assert site.complaints == []


def test_a_thousand_accounts_are_found_quickly(sites: Callable[[int], Site]) -> None:
    many = sites(1000)
    with many.looking() as page:
        assert "1000 accounts, page 1 of 10" in page.inner_text("main")
        assert page.evaluate("performance.getEntriesByType('navigation')[0].duration") < 5000
        page.fill("#q", "seat-0421")
        page.press("#q", "Enter")
        page.wait_for_selector("a:has-text('seat-0421')")
        assert page.locator("tbody tr").count() == 1
        do(page, "seat-0421", "Pause", "seat-0421 is paused")
        assert "q=seat-0421" in page.url


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
        store.update_account(WORK.key, enabled=True).result()


def test_ten_pages_are_told_at_once(site: Site, store: Store) -> None:
    with site.looking() as first:
        pages = [first, *(first.context.new_page() for _ in range(9))]
        for page in pages:
            page.goto(site.url)
            page.wait_for_selector("tr:has-text('work') .state.good")
        store.update_account(WORK.key, enabled=False).result()
        for page in pages:
            page.wait_for_selector("tr:has-text('work') .state.off")
        store.update_account(WORK.key, enabled=True).result()
    assert site.complaints == []


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
    assert eventually(lambda: page.locator("#live tbody tr").count() == count)


def memory(site: Site) -> int:
    """Bytes of the process that serves the page; nothing where the system does not say."""
    assert site.process is not None
    status = Path(f"/proc/{site.process.pid}/status")
    if not status.is_file():
        return 0
    found = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmRSS"))
    return int(found.split()[1]) * 1024
