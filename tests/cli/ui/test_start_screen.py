"""`codex-rotate` alone: how things are, and what to do next. It only looks."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.model import Cooldown, Standing
from accounts.store.store import Store
from cli.ui.start_screen import LOGINS, Overview, about_accounts, login_of, next_steps, shown
from config import clock
from tests.rows import all_rows

type Run = Callable[..., Any]
type Fill = Callable[..., Any]

LOGGED_IN = {"tokens": {"access_token": "secret-a", "refresh_token": "secret-r"}}


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client that is installed and logged in. CODEX_HOME is this folder."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "codex").write_text("#!/bin/sh\nexit 1\n")
    (programs / "codex").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    (tmp_path / "auth.json").write_text(json.dumps(LOGGED_IN))
    return tmp_path


def commands(run: Run) -> list[str]:
    return [each["command"] for each in run("--json").json["next"]]


def test_a_bare_home(run: Run, tmp_path: Path, home: Path) -> None:
    """Exit code 0, the commands that bring an account in, and nothing is made."""
    before = tree(tmp_path)
    ran = run()
    assert (ran.code, ran.err) == (0, "")
    assert "accounts  none yet" in ran.out
    assert "codex-rotate login " in ran.out
    assert commands(run) == ["codex-rotate login", "codex-rotate import FILE", "codex-rotate demo"]
    assert tree(tmp_path) == before
    assert not home.exists()


def test_accounts_and_no_proxy(run: Run, fill: Fill, client: Path) -> None:
    fill("ann", "bob")
    told = run("--json").json
    assert (told["accounts"], told["proxies"], told["client"]) == (
        {"total": 2, "able": 2, "states": {"ready": 2}},
        [],
        {"installed": True, "login": "chatgpt"},
    )
    assert commands(run) == ["codex-rotate run codex", "codex-rotate list", "codex-rotate doctor"]
    said = run().out
    assert "accounts  2 ready" in said
    assert "proxy     none runs" in said
    assert "client    logged in with ChatGPT" in said
    assert "secret" not in said


def test_who_serves(run: Run, fill: Fill, client: Path) -> None:
    fill("ann", "bob")
    run("use", "bob")
    assert "1 ready, 1 passed over; everybody uses bob" in run().out
    assert run("--json").json["serving"] == "bob"


def test_accounts_that_do_not_serve_are_counted(run: Run, fill: Fill, home: Path, client: Path) -> None:
    """And with nobody left, `list` is what says why."""
    ann, bob, _ = fill("ann", "bob", "cy")
    with Store(home / "pool.db") as store:
        store.set_standing(ann.key, Standing.NEEDS_LOGIN).result()
        store.set_cooldown(
            bob.key, Cooldown(until=clock.now() + 3600, reason="usage_limit", since=clock.now())
        ).result()
    assert run("--json").json["accounts"]["states"] == {"needs_login": 1, "resting": 1, "ready": 1}
    assert "1 ready, 1 resting, 1 needs login" in run().out
    run("pause", "cy")
    assert commands(run)[0] == "codex-rotate list"


def test_a_client_that_is_not_ready(run: Run, fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has to be done first comes first."""
    fill("ann")
    (tmp_path / "programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    assert commands(run)[:2] == ["npm install -g @openai/codex", "codex login"]
    assert "no `codex` on the PATH; not logged in" in run().out


def test_what_announces_a_proxy_and_is_none(run: Run, fill: Fill, home: Path) -> None:
    """A file that a proxy has left when it was killed is not believed."""
    fill("ann")
    (home / "proxies").mkdir(mode=0o700, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told = {"product": "codex-rotate", "url": f"http://127.0.0.1:{port}", "pid": 1, "home": str(home)}
    (home / "proxies" / "1.json").write_text(json.dumps(told | {"certificate": "x", "version": "0"}))
    assert run("--json").json["proxies"] == []


def test_a_pool_that_cannot_be_read(run: Run, home: Path) -> None:
    """It is told where the accounts would be, and what helps."""
    home.mkdir()
    (home / "pool.db").write_bytes(b"not a database" * 99)
    ran = run()
    assert (ran.code, ran.err) == (0, "")
    assert "left untouched" in ran.out
    assert commands(run)[0] == "codex-rotate doctor"


@pytest.mark.parametrize(
    ("document", "login"),
    [
        (None, "none"),
        ({}, "none"),
        (LOGGED_IN, "chatgpt"),
        ({"personal_access_token": "x"}, "chatgpt"),
        ({"OPENAI_API_KEY": "sk-x", "tokens": None}, "api_key"),
        ({"auth_mode": "apikey", "OPENAI_API_KEY": "sk-x", "tokens": {"access_token": "old"}}, "api_key"),
        ([], "unreadable"),
        ("half", "unreadable"),
    ],
)
def test_how_the_client_is_logged_in(tmp_path: Path, document: object, login: str) -> None:
    if document == "half":
        (tmp_path / "auth.json").write_text('{"tokens')
    elif document is not None:
        (tmp_path / "auth.json").write_text(json.dumps(document))
    assert login_of({"CODEX_HOME": str(tmp_path)}) == login
    assert login in LOGINS


def test_a_login_in_the_keyring_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('model = "x"\ncli_auth_credentials_store = "keyring"\n')
    assert login_of({"CODEX_HOME": str(tmp_path)}) == "hidden"


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_client_whose_folder_is_none(
    run: Run, fill: Fill, client: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The official client refuses to start with it."""
    fill("ann")
    if kind == "a file":
        (client / "other").touch()
    monkeypatch.setenv("CODEX_HOME", str(client / "other"))
    assert "CODEX_HOME names no folder" in run().out
    assert commands(run)[0] == 'mkdir -p "$CODEX_HOME"'


def test_running_proxies_are_named() -> None:
    seen = Overview(states={"ready": 1}, proxies=("http://127.0.0.1:8118",))
    assert "listens at http://127.0.0.1:8118" in shown(seen, "/home", 80).message


def test_who_served_last_is_not_told_as_chosen() -> None:
    assert about_accounts(Overview(states={"ready": 2}, serving="ann")) == "2 ready; served last: ann"
    assert about_accounts(Overview(states={"closed": 1, "reserved": 2})) == "2 kept for its owner, 1 closed by provider"


@all_rows("login", LOGINS)
@all_rows("installed", [True, False])
@all_rows("states", [{}, {"ready": 1}, {"resting": 2}])
@all_rows("trouble", ["", "It is broken."])
def test_there_are_two_or_three_steps_and_they_fit(
    login: str, installed: bool, states: dict[str, int], trouble: str
) -> None:
    seen = Overview(states=states, able=states.get("ready", 0), login=login, installed=installed, trouble=trouble)
    steps = next_steps(seen)
    assert 2 <= len(steps) <= 4
    assert len({each.command for each in steps}) == len(steps)
    assert max(map(len, shown(seen, "/home", 80).message.splitlines())) <= 80
