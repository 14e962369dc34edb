"""What `codex-rotate` alone shows: how things are, in a few lines, and the commands that matter now.

It only looks: on a home where there is nothing yet, there is nothing afterwards.
"""

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.ui.lines import terminal_width, wrapped
from cli.ui.result import Result
from config import clock, paths, proxy_files
from config.errors import RotateError
from config.version import current

if TYPE_CHECKING:
    from accounts.views.account_list import AccountRow

CLIENT: Final = "codex"
INSTALL: Final = "npm install -g @openai/codex"
INDENT: Final = 12
LONGEST: Final = 1 << 20
"""Bytes of a file of the client's that are looked at."""
LOGINS: Final = {
    "chatgpt": "logged in with ChatGPT",
    "api_key": "logged in with an API key, which the pool never serves",
    "hidden": "keeps its login in the system's keyring",
    "unreadable": "its login file cannot be read",
    "none": "not logged in",
    "no_home": "CODEX_HOME names no folder, and so the client does not start",
}
_KEYRING: Final = re.compile(rb"""^\s*cli_auth_credentials_store\s*=\s*["'](keyring|auto)["']""", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """`states` counts accounts by state, `able` those that can serve now; `serving` is the label of the one that
    everybody uses or that served last, "" for none; `trouble` is why the pool cannot be read. `login` is the client's,
    in a word of LOGINS."""

    states: Mapping[str, int]
    able: int = 0
    serving: str = ""
    chosen: bool = False
    trouble: str = ""
    proxies: Sequence[str] = ()
    installed: bool = True
    login: str = "chatgpt"


@dataclass(frozen=True, slots=True)
class NextStep:
    """A command that matters now, and what for."""

    command: str
    why: str


def start_screen() -> Result:
    """The state and the next steps. Raises ConfigError for a home that cannot be one."""
    return shown(look(os.environ, clock.now()), str(paths.home()), terminal_width())


# --- looking ---------------------------------------------------------------------------------------------------------


def look(environ: Mapping[str, str], now: float) -> Overview:
    """How things are. Nothing is made, and nobody but proxies of ours on this machine is asked."""
    rows, trouble = _accounts(paths.pool_file(environ), now, environ)
    active = next((row for row in rows if row.active), None)
    return Overview(
        states=Counter(str(row.told.state) for row in rows),
        able=sum(row.told.serves for row in rows),
        serving=active.account.label if active else "",
        chosen=bool(active and active.chosen),
        trouble=trouble,
        proxies=_proxies(environ),
        installed=shutil.which(CLIENT, path=environ.get("PATH")) is not None,
        login=login_of(environ),
    )


def _accounts(pool: Path, now: float, environ: Mapping[str, str]) -> tuple[Sequence["AccountRow"], str]:
    """The accounts as `list` shows them, and why there are none to be shown."""
    with suppress(OSError):
        if not pool.exists():
            return (), ""
    from accounts.store.store import Store
    from accounts.views.account_list import stored_rows

    try:
        with Store(pool) as store:
            return stored_rows(store, now, environ), ""
    except RotateError as e:
        return (), str(e)


def _proxies(environ: Mapping[str, str]) -> Sequence[str]:
    if not proxy_files.announced(proxy_files.folder(environ)):
        return ()
    from cli.running import proxies  # late: an HTTP client

    return [each.url for each in proxies.running(environ)]


def login_of(environ: Mapping[str, str]) -> str:
    """How the client is logged in, as far as its files tell (docs/codex-wire.md section 4)."""
    if environ.get("CODEX_HOME") and not paths.codex_home(environ).is_dir():
        return "no_home"
    try:
        document = json.loads(_beginning(paths.codex_auth_file(environ)))
    except FileNotFoundError:
        return "hidden" if _in_keyring(paths.codex_home(environ) / "config.toml") else "none"
    except (OSError, ValueError):
        return "unreadable"
    if not isinstance(document, dict):
        return "unreadable"
    if document.get("auth_mode") != "apikey" and (document.get("tokens") or document.get("personal_access_token")):
        return "chatgpt"
    return "api_key" if document.get("OPENAI_API_KEY") else "none"


def _in_keyring(settings: Path) -> bool:
    with suppress(OSError):
        return _KEYRING.search(_beginning(settings)) is not None
    return False


def _beginning(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(LONGEST)


# --- telling ---------------------------------------------------------------------------------------------------------


def shown(seen: Overview, home: str, width: int) -> Result:
    """What a person gets, and what a program gets."""
    lines = [f"codex-rotate {current()}, a pool of accounts for the official Codex CLI", ""]
    rows = {"accounts": about_accounts(seen), "proxy": about_proxies(seen), "client": about_client(seen)}
    for name, text in rows.items():
        lines += wrapped(f"  {name:<{INDENT - 2}}", text, width, INDENT)
    steps = next_steps(seen)
    longest = max(len(each.command) for each in steps)
    lines += ["", *(f"  {each.command:<{longest}}  {each.why}" for each in steps)]
    lines += ["", "`codex-rotate help` lists all commands."]
    data = {
        "version": current(),
        "home": home,
        "accounts": {"total": sum(seen.states.values()), "able": seen.able, "states": dict(seen.states)},
        "serving": seen.serving or None,
        "proxies": list(seen.proxies),
        "client": {"installed": seen.installed, "login": seen.login},
        "trouble": seen.trouble or None,
        "next": [{"command": each.command, "why": each.why} for each in steps],
    }
    return Result("\n".join(lines), data)


def about_accounts(seen: Overview) -> str:
    if seen.trouble:
        return seen.trouble
    if not seen.states:
        return "none yet"
    from accounts.states import State, counted

    states = counted({State(state): number for state, number in seen.states.items()})
    if not seen.serving:
        return states
    return f"{states}; {'everybody uses' if seen.chosen else 'served last:'} {seen.serving}"


def about_proxies(seen: Overview) -> str:
    if not seen.proxies:
        return "none runs; `codex-rotate run` starts one by itself"
    return f"listens at {' and '.join(seen.proxies)}"


def about_client(seen: Overview) -> str:
    return ("" if seen.installed else "no `codex` on the PATH; ") + LOGINS[seen.login]


def next_steps(seen: Overview) -> list[NextStep]:
    """Two or three commands, the one that is needed first at the top."""
    if seen.trouble:
        return [
            NextStep("codex-rotate doctor", "say what is wrong"),
            NextStep("codex-rotate backup list", "what can be restored"),
        ]
    if not seen.states:
        return [
            NextStep("codex-rotate login", "log an account in and add it"),
            NextStep("codex-rotate import FILE", "add the accounts of a login file"),
            NextStep("codex-rotate demo", "see what it does, with made-up accounts"),
        ]
    steps = []
    if not seen.installed:
        steps.append(NextStep(INSTALL, "install the client"))
    if seen.login == "no_home":
        steps.append(NextStep('mkdir -p "$CODEX_HOME"', "make the folder that it names"))
    if seen.login in {"none", "api_key"}:
        steps.append(NextStep("codex login", "log the client in, with any ChatGPT account"))
    if not seen.able:
        steps.append(NextStep("codex-rotate list", "why no account can serve now, and what to do"))
    if not steps:
        steps.append(NextStep("codex-rotate run codex", "start the client behind the proxy"))
        steps.append(NextStep("codex-rotate list", "what each account is doing"))
    elif len(steps) == 1 and seen.able:
        steps.append(NextStep("codex-rotate run codex", "then start the client behind the proxy"))
    return [*steps, NextStep("codex-rotate doctor", "find out what is wrong, if something is")]
