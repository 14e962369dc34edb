# ruff: noqa: INP001 - scripts/ holds programs
"""Takes the pictures in docs/images anew: ten turns into a capture, mitmweb with that capture, Chromium in front of it;
and the page of a proxy over a made-up pool.

    .venv/bin/python -m scripts.pictures [CAPTURE]
    .venv/bin/python -m scripts.pictures page

It needs Chromium (`chromium` on the PATH) and a font with emoji, which the markers are. Nothing leaves this machine.
Look at the pictures before they are committed.
"""

import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from accounts.views.live_turns import as_json
from config import clock
from config.page import token
from tests.browser import world
from tests.harness import MITMDUMP, ROOT, SCRIPT, Output, plain_environment
from tests.proxy.ten_turns import take

IMAGES: Final = ROOT / "docs" / "images"
SIZE: Final = {"width": 1280, "height": 760}
COLUMNS: Final = ("tls", "icon", "path", "status", "comment", "time")
QUIET: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
ROTATED: Final = 8
"""The place in the list of the turn whose first account was at its limit."""
SOCKET: Final = 5
"""The place of the socket with a tool's call and output."""


PAGE: Final = (
    ("page-390.png", "/", 390, 844, "dark"),
    ("page-1280.png", "/", 1280, 960, "light"),
    ("page-2560.png", "/timeline", 2560, 1200, "light"),
    ("page-usage.png", "/usage", 1280, 900, "dark"),
    ("page-turns.png", "/turns", 1280, 560, "light"),
)
"""The pictures of the page: file, view, width, height and colours."""


def main() -> None:
    """All pictures; those of mitmweb of the capture that is named, or of a new one."""
    of_page()
    if sys.argv[1:] == ["page"]:
        return
    with tempfile.TemporaryDirectory() as folder:
        given = [Path(each) for each in sys.argv[1:]]
        capture = given[0] if given else take(Path(folder), Path(folder) / "ca")[0]
        IMAGES.mkdir(exist_ok=True)
        with mitmweb(capture, Path(folder)) as address, browser(Path(folder)) as page:
            page.goto(address)
            show(page, ROTATED, "Response", ".contentview .controls")
            keep(page, "mitmweb-flows.png")
            show(page, SOCKET, "WebSocket", "pre:has-text('ended: completed'):has-text('call exec_command')")
            keep(page, "mitmweb-socket.png")


def of_page() -> None:
    """The page over a pool that has something to show."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as address, browser(Path(folder)) as page:
        page.goto(address)
        for name, view, width, height, scheme in PAGE:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            page.goto(address.partition("?")[0].rstrip("/") + view)
            if view == "/timeline":
                page.locator("details.rotation summary").nth(2).click()
            keep(page, name)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A page without a proxy; its address, with what lets one in."""
    home, turns = folder / "home", folder / "turns.json"
    world.fill(home, clock.now())
    turns.write_text(as_json(world.turns(9, clock.now())))
    env = {**plain_environment(), "HOME": str(folder), "CODEX_ROTATE_HOME": str(home), "TZ": "UTC"}
    command = [sys.executable, "-m", "tests.browser.page_alone", "0", str(turns)]
    process = subprocess.Popen(  # noqa: S603
        command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output = Output(process)
    try:
        url = output.wait_for(r"the page is at (\S+)", seconds=60)[1]
        yield f"{url}/?token={token.known_token({'CODEX_ROTATE_HOME': str(home)})}"
    finally:
        process.terminate()
        process.wait(10)
        output.close()


@contextmanager
def mitmweb(capture: Path, folder: Path) -> Iterator[str]:
    """mitmweb with this capture and without a pool; its address, with what lets one in."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    word = secrets.token_hex(8)
    settings = ["web_open_browser=false", f"web_port={port}", f"web_password={word}", f"confdir={folder / 'web'}"]
    settings += [f"web_columns={each}" for each in COLUMNS]
    flags = [part for each in settings for part in ("--set", each)]
    command = [str(MITMDUMP.with_name("mitmweb")), "--no-server", "-r", str(capture), "-s", str(SCRIPT), *flags]
    env = {**plain_environment(), "HOME": str(folder), "CODEX_ROTATE_HOME": str(folder / "none"), "TZ": "UTC"}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603
    output = Output(process)
    try:
        output.wait_for("Web server listening", seconds=60)
        yield f"http://127.0.0.1:{port}/?token={word}"
    finally:
        process.terminate()
        process.wait(10)
        output.close()


@contextmanager
def browser(folder: Path) -> Iterator[Any]:
    """A page of a browser that knows nothing and asks nobody."""
    from playwright.sync_api import sync_playwright  # late: only who takes pictures needs it

    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise SystemExit("There is no Chromium on the PATH. Install it, and a font with emoji for the markers.")
    with sync_playwright() as player:
        profile = str(folder / "profile")
        opened = player.chromium.launch_persistent_context(
            profile, executable_path=found, args=list(QUIET), viewport=SIZE
        )
        yield opened.pages[0]
        opened.close()


def show(page: Any, place: int, tab: str, top: str) -> None:
    """Open a flow at one of its tabs, scrolled so that the box with this element is at the top."""
    page.locator("tr.has-request").nth(place).click()
    page.locator(".flow-detail nav a", has_text=tab).click()
    page.wait_for_load_state("networkidle")
    wanted = page.locator(top).first
    wanted.wait_for()
    wanted.evaluate("each => each.parentElement.scrollIntoView({block: 'start'})")
    page.evaluate("document.activeElement.blur()")
    page.evaluate("Promise.all(document.getAnimations().map(each => each.finished))")


def keep(page: Any, name: str) -> None:
    """The page as it is."""
    path = IMAGES / name
    page.screenshot(path=str(path))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB")  # noqa: T201


if __name__ == "__main__":
    main()
