# ruff: noqa: INP001 - scripts/ holds programs
"""Takes the picture of `codex-rotate top` in docs/images anew, over a made-up pool.

    .venv/bin/python -m scripts.top_picture

textual draws the screen as SVG, and Chromium (`chromium` on the PATH) makes a picture of that. Nothing leaves this
machine. Look at it before it is committed.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from accounts.choice.quota import MAIN, Window
from accounts.model import Account, Affinity, Cooldown, Credentials, Standing
from accounts.store.store import Store
from accounts.views.live_turns import LiveTurn
from cli.top.app import TopApp
from cli.top.facts import ProxyFacts
from cli.top.screen import ScreenState
from cli.top.sources import Sources
from cli.top.watches.pool import PoolWatch
from cli.top.watches.proxies import ProxyWatch
from cli.top.watches.usage import UsageWatch

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURE: Final = ROOT / "docs" / "images" / "top.png"
NOW: Final = 1_796_043_600.0
SIZE: Final = (100, 16)
QUIET: Final = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
POOL: Final[Sequence[tuple[str, str, float, float, int]]] = (
    ("work", "pro", 64, 17, 9),
    ("home", "plus", 19, 40, 10),
    ("team-1", "team", 97, 61, 8),
    ("team-2", "team", 100, 84, 13),
    ("research", "plus", 12, 31, 0),
    ("spare", "plus", 41, 49, 0),
    ("old laptop", "plus", 0, 10, 0),
)
"""Label, plan, percent of the two windows, threads."""


def main() -> None:
    os.environ["TZ"] = "UTC"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CODEX_ROTATE_HOME"] = folder
        with Store(Path(folder) / "pool.db") as store:
            fill(store)
            drawn = asyncio.run(draw(store, Path(folder)))
        picture = Path(folder) / "top.svg"
        picture.write_text(drawn)
        take(picture)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1024} KiB")  # noqa: T201


def fill(store: Store) -> None:
    keys = []
    for number, (label, plan, day, week, threads) in enumerate(POOL):
        account = Account(account_id=f"acct-{number}", user_id="u", label=label, plan=plan, added_at=NOW + number)
        login = Credentials(access=f"a{number}", refresh=f"r{number}", expires_at=NOW + 864_000)
        store.put_account(account, login).result()
        keys.append(account.key)
        ends = ((300, day, 1500 + 2100 * number), (10_080, week, 190_000 + 60_000 * number))
        windows = [
            Window(family=MAIN, minutes=minutes, used_percent=used, resets_at=NOW + end, seen_at=NOW)
            for minutes, used, end in ends
        ]
        store.set_windows(account.key, tuple(windows)).result()
        for thread in range(threads):
            used_at = NOW - 60 * (thread + number + 1)
            store.save_affinity(Affinity(thread=f"{number}-{thread}", key=account.key, used_at=used_at)).result()
    store.set_cooldown(keys[3], Cooldown(until=NOW + 2900, reason="usage_limit", since=NOW)).result()
    store.set_standing(keys[5], Standing.NEEDS_LOGIN).result()
    store.update_account(keys[6], enabled=False).result()


async def draw(store: Store, folder: Path) -> str:
    sources = Sources(
        store=store,
        pool=PoolWatch(store),
        proxies=ProxyWatch(),
        usage=UsageWatch(folder / "usage.db"),
        now=lambda: NOW,
    )
    app = TopApp(sources, ScreenState())
    turns = [
        LiveTurn(id=str(number), began=NOW, account=label) for number, label in enumerate(("work", "work", "home"))
    ]
    async with app.run_test(size=SIZE) as pilot:
        await app.workers.wait_for_complete()
        await pilot.press("down")
        app.learn(proxies=ProxyFacts(urls=("http://127.0.0.1:8118",), turns=tuple(turns)))
        await pilot.pause()
        return app.export_screenshot()


def take(picture: Path) -> None:
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        page = browser.new_page(viewport={"width": 1240, "height": 445})
        page.route("http*://**", lambda route: route.abort())  # the font that the SVG names
        page.goto(picture.as_uri())
        page.locator("svg").first.screenshot(path=str(PICTURE))
        browser.close()


if __name__ == "__main__":
    main()
