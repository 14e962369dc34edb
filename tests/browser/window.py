"""A site, and the one window of a browser that looks at it: a window of its own for each test costs a second."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

from accounts.views.live_turns import as_json
from config import clock
from config.page import token
from tests.browser import world
from tests.harness import PATIENCE, ROOT, START_SECONDS, Output, plain_environment

USUAL: Final = {"width": 1280, "height": 900}


class Window:
    """A page of the browser that tests share, one after the other."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.context = self.opened()
        self.page = self.watched(self.context.new_page())

    def opened(self, **more: Any) -> Any:
        """Another one, for what cannot be changed in one that is there."""
        context = self.browser.new_context(viewport=USUAL, reduced_motion="reduce", **more)
        context.set_default_timeout(PATIENCE * 1000)
        return context

    def watched(self, page: Any) -> Any:
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _heard(self, said: Any) -> None:
        """A picture alone, where the shared page waits, names no icon: the browser looks for one, in its own time."""
        if said.type in {"error", "warning"} and not said.location["url"].endswith("/favicon.ico"):
            self.complaints.append(said.text)

    @contextmanager
    def shared(self, viewport: dict[str, int] | None = None, scheme: str = "light") -> Iterator[Any]:
        """The page, as somebody finds it who was never here."""
        self.context.clear_cookies()
        self.page.set_viewport_size(viewport or USUAL)
        self.page.emulate_media(color_scheme=scheme)
        try:
            yield self.page
        finally:
            for each in self.context.pages:
                if each is not self.page:
                    each.close()
            if self.page.url.startswith("http"):  # nothing listens there, and it is no other process of the browser's
                self.page.goto(urljoin(self.page.url, "/static/icon.svg"))

    @contextmanager
    def alone(self, **more: Any) -> Iterator[Any]:
        """A page of a window that is no other test's."""
        context = self.opened(**more)
        try:
            yield self.watched(context.new_page())
        finally:
            context.close()


@dataclass
class Site:
    """A page that is served, and the window that looks at it."""

    window: Window
    home: Path
    port: int
    turns: Path
    process: subprocess.Popen[str] | None = None
    output: Output | None = field(default=None, repr=False)

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
        self.output = Output(self.process)
        self.output.wait_for("the page is at", seconds=START_SECONDS)

    def stop(self) -> None:
        if self.process is None or self.output is None:
            return
        self.process.kill()
        self.process.wait(PATIENCE)
        self.output.close()
        self.process = None

    def run(self, count: int) -> None:
        """So many turns are under way from now on."""
        self.turns.write_text(as_json(world.turns(count, clock.now())))

    @contextmanager
    def looking(
        self, path: str = "/", *, viewport: dict[str, int] | None = None, scheme: str = "light"
    ) -> Iterator[Any]:
        """The owner's browser at this path."""
        with self.window.shared(viewport, scheme) as page:
            page.goto(f"{self.url}{path}?token={self.token}")
            yield page
