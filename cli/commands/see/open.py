"""`open`: the page of a running proxy, in the browser of who has started it."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

import typer

from cli.login.browser import open_page
from cli.running import proxies
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock
from config.errors import RotateError
from config.page import token as page_token
from config.proxy_files import ProxyInfo

MINUTES: Final = round(page_token.CODE_SECONDS / 60)


class NoPage(RotateError):
    """`running`: proxies of this pool, none of which has a page."""

    exit_code = 3

    def __init__(self, running: Sequence[ProxyInfo]) -> None:
        told = "No proxy of this pool runs."
        if running:
            one = len(running) == 1
            told = (
                f"The proxy at {running[0].url} has no page." if one else "No proxy of this pool that runs has a page."
            )
        super().__init__(f"{told} Start one with `codex-rotate serve`.")


def add_to(app: typer.Typer) -> None:
    app.command("open")(open_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def open_command(
    *,
    show: Annotated[bool, typer.Option("--show", help="Print the address, and open nothing.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Open the page of a running proxy in your browser: accounts, live turns, timeline, usage, decisions, findings.

    The address lets in whoever opens it first, once, within five minutes.
    """
    opens = (lambda _: False) if show or as_json else open_page
    return open_in_browser(proxies.running(), os.environ, clock.now(), opens)


# --- working ---------------------------------------------------------------------------------------------------------


def open_in_browser(
    running: Sequence[ProxyInfo], environ: Mapping[str, str], now: float, opens: Callable[[str], bool]
) -> Result:
    """The page of the first of these that has one. Raises NoPage."""
    there = next((each for each in running if each.page), None)
    token = page_token.known_token(environ)
    if there is None or not token:
        raise NoPage(running)
    # what a browser is started with, other users of this machine can read: so it is good once
    address = f"{there.page}?token={page_token.new_code(token, now)}"
    opened = opens(address)
    data = {"page": there.page, "address": address, "opened": opened, "proxy": there.url}
    if opened:
        return Result(f"{there.page} is open in your browser.", data)
    return Result(f"Open this in a browser, once, within {MINUTES} minutes:\n{address}", data)
