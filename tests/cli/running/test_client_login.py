"""`run` looks at the official client's login before it starts anything: without one the client goes past the pool."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.running.client_login import (
    ClientLogin,
    ClientNotLoggedIn,
    ClientUsesApiKey,
    KeyVariableSet,
    check,
    elsewhere,
    login_in,
    needs_login,
    subcommand,
)
from config.errors import RotateError
from tests.cli.conftest import Fill, Run
from tests.rows import all_rows

SECRET = "sk-of-the-client"
CHATGPT = {"auth_mode": "chatgpt", "tokens": {"access_token": "x"}}
KEY = {"auth_mode": "apikey", "OPENAI_API_KEY": SECRET}


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """The client's own folder."""
    folder = tmp_path / "client"
    folder.mkdir()
    return folder


def looked(client: Path, *words: str, login: object = None, settings: str = "", **variables: str) -> None:
    if login is not None:
        (client / "auth.json").write_text(login if isinstance(login, str) else json.dumps(login))
    (client / "config.toml").write_text(settings)
    check(words, {"CODEX_HOME": str(client), **variables})


def refusal(client: Path, *words: str, login: object = None, settings: str = "", **variables: str) -> str:
    """Why it is not started; "" when it is."""
    try:
        looked(client, *words, login=login, settings=settings, **variables)
    except RotateError as e:
        return str(e)
    return ""


@pytest.mark.parametrize(
    "words", [(), ("exec", "hi"), ("fix the build",), ("resume", "--last"), ("-m", "x", "e", "hi")]
)
def test_without_a_login_it_says_which_command_logs_in(client: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(ClientNotLoggedIn, match="Run `codex login` and choose ChatGPT"):
        looked(client, *words)
    with pytest.raises(ClientNotLoggedIn):
        looked(client, *words, login={})


@pytest.mark.parametrize("login", [KEY, {"OPENAI_API_KEY": SECRET}, {"OPENAI_API_KEY": SECRET, "tokens": {"a": "b"}}])
def test_an_api_key_goes_past_the_pool(client: Path, login: object) -> None:
    """Without a mode the key goes before the tokens, as `codex login status` shows."""
    with pytest.raises(ClientUsesApiKey, match="past the pool") as refused:
        looked(client, "exec", "hi", login=login)
    assert SECRET not in str(refused.value)


def test_the_variable_with_a_key_is_for_exec_only(client: Path) -> None:
    with pytest.raises(KeyVariableSet, match="Unset it"):
        looked(client, "exec", "hi", login=CHATGPT, CODEX_API_KEY=SECRET)
    looked(client, login=CHATGPT, CODEX_API_KEY=SECRET)


def test_a_login_with_chatgpt_is_what_the_pool_is_for(client: Path) -> None:
    assert refusal(client, "exec", "hi", login=CHATGPT) == ""
    assert refusal(client, "exec", "hi", login={**CHATGPT, "OPENAI_API_KEY": SECRET}) == ""
    assert refusal(client, "exec", "hi", login={"personal_access_token": "at-x"}) == ""


@pytest.mark.parametrize("store", ["keyring", "auto", "ephemeral"])
def test_what_cannot_be_told_is_no_reason_to_refuse(client: Path, store: str) -> None:
    assert refusal(client, settings=f'cli_auth_credentials_store = "{store}"') == ""
    assert refusal(client, "-c", f"cli_auth_credentials_store={store}") == ""
    assert refusal(client, CODEX_ACCESS_TOKEN="at-x") == ""
    assert refusal(client, settings='model_provider = "mine"') == ""
    assert refusal(client, settings="not toml") == ""
    assert refusal(client, login="not json") == ""


@pytest.mark.parametrize(
    "words",
    [
        *(("login",), ("login", "status"), ("logout",), ("help",), ("--help",), ("exec", "--help"), ("-V",)),
        *(("--version",), ("completion", "bash"), ("mcp", "list"), ("doctor",), ("app-server",), ("features", "list")),
        *(("--oss",), ("-c", "model_provider=mine"), ("--remote", "ws://127.0.0.1:1"), ("-p", "mine", "exec", "hi")),
    ],
)  # fmt: skip
def test_what_needs_no_login_of_the_client_is_not_held_up(client: Path, words: tuple[str, ...]) -> None:
    assert refusal(client, *words) == ""


def test_the_subcommand_is_found_among_options() -> None:
    assert subcommand(["-c", "exec", "--model=login", "--search", "exec", "login"]) == "exec"
    assert subcommand(["explain login"]) == ""
    assert subcommand(["--", "login"]) == ""
    assert subcommand([]) == ""
    assert needs_login(["--", "--help"])


def test_only_the_official_client_is_looked_at(
    run: Run, fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is started for one that is not logged in."""
    fill("work")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "codex").write_text("#!/bin/sh\nexit 7\n")
    (programs / "codex").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "nothing"))
    ran = run("run", "codex", "exec", "hi")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("codex-rotate: The client is not logged in")
    assert not list((tmp_path / "rotate home" / "proxies").glob("*"))


# --- facts -----------------------------------------------------------------------------------------------------------


@all_rows(
    ("settings", "found"),
    [
        ({}, {}),
        ({"model_provider": "openai", "openai_base_url": "https://chatgpt.com/backend-api/codex"}, {}),
        ({"model_provider": "ollama"}, {"model_provider": "ollama"}),
        ({"chatgpt_base_url": f"https://u:{SECRET}@gw.test/x"}, {"chatgpt_base_url": "gw.test"}),
        ({"openai_base_url": "http://chatgpt.com/"}, {"openai_base_url": "chatgpt.com"}),
        ({"openai_base_url": "https://api.openai.com/v1"}, {"openai_base_url": "api.openai.com"}),
        ({"openai_base_url": "https://chatgpt.com.evil.test/"}, {"openai_base_url": "chatgpt.com.evil.test"}),
        ({"chatgpt_base_url": "https://[x"}, {"chatgpt_base_url": "an address that cannot be read"}),
        ({"forced_login_method": "api"}, {"forced_login_method": "api"}),
        ({"model_provider": 7, "chatgpt_base_url": []}, {}),
    ],
)
def test_where_its_settings_lead(settings: Mapping[str, object], found: Mapping[str, str]) -> None:
    assert elsewhere(settings) == found


@all_rows(
    ("document", "found"),
    [
        ({"tokens": {"access_token": "x"}}, ClientLogin.CHATGPT),
        ({"auth_mode": "chatgpt", "tokens": {}}, ClientLogin.CHATGPT),
        ({"personal_access_token": "at-x"}, ClientLogin.CHATGPT),
        ({"OPENAI_API_KEY": SECRET, "tokens": None}, ClientLogin.API_KEY),
        ({"OPENAI_API_KEY": SECRET, "tokens": {"access_token": "x"}, "auth_mode": "apikey"}, ClientLogin.API_KEY),
        ({"OPENAI_API_KEY": SECRET, "tokens": {"access_token": "x"}}, ClientLogin.API_KEY),
        ({"OPENAI_API_KEY": SECRET, "tokens": {"access_token": "x"}, "auth_mode": "chatgpt"}, ClientLogin.CHATGPT),
        ({"auth_mode": "agentIdentity", "agent_identity": "x"}, ClientLogin.AGENT),
        ({"auth_mode": "bedrockApiKey"}, ClientLogin.OTHER),
        ({}, ClientLogin.NONE),
        ({"OPENAI_API_KEY": None, "tokens": None}, ClientLogin.NONE),
    ],
)
def test_how_it_is_logged_in(document: Mapping[str, object], found: ClientLogin) -> None:
    assert login_in(document) is found
