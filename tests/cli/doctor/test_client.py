"""The official client: what it says of itself, and what its files say."""

import json
from pathlib import Path

import pytest

from cli.doctor import client as doctor_client
from cli.doctor.client import TRIED, ClientFacts, features_in, gather, version_in
from cli.running.client_login import ClientLogin
from tests.cli.doctors import FEATURES, NOTE, OK, PROBLEM, WARNING, fake_codex, only, short

SECRET = "sk-nobody-may-see"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "codex").mkdir()
    return {"CODEX_HOME": str(tmp_path / "codex"), "PATH": str(fake_codex(tmp_path / "my ü bin"))}


# --- facts -----------------------------------------------------------------------------------------------------------


def test_what_the_client_says_of_itself(environ: dict[str, str], tmp_path: Path) -> None:
    found = gather(environ)
    assert found.program == str(tmp_path / "my ü bin" / "codex")
    assert found.version == (0, 169, 0)
    assert found.features == {"apps": True, "use_agent_identity": False}
    assert found.login is ClientLogin.NONE


def test_a_client_that_is_not_there_or_not_one(environ: dict[str, str], tmp_path: Path) -> None:
    found = gather(environ | {"PATH": str(tmp_path / "codex")})
    assert (found.program, found.version, found.features) == (None, None, {})
    broken = tmp_path / "my ü bin" / "codex"
    broken.write_bytes(b"\x7fELF nonsense")
    found = gather(environ)
    assert (found.program, found.version, found.features) == (str(broken), None, {})
    broken.write_text("#!/bin/sh\nprintf '\\377\\376'; exit 3\n")
    assert gather(environ).version is None


def test_versions_and_features() -> None:
    assert version_in("WARNING: x\ncodex-cli 1.20.3-alpha.1\n") == (1, 20, 3)
    assert version_in("codex 1") is None
    assert features_in("a  under development  true\r\nb.c removed false\nnonsense\n\n") == {"a": True, "b.c": False}
    assert features_in(FEATURES)["apps"] is True


def test_its_files(environ: dict[str, str], tmp_path: Path) -> None:
    """No secret of them is kept."""
    home = tmp_path / "codex"
    (home / "config.toml").write_text('cli_auth_credentials_store = "keyring"\nmodel_provider = "x"\n')
    found = gather(environ | {"CODEX_API_KEY": SECRET})
    assert (found.login, found.key_variable, dict(found.elsewhere)) == (
        ClientLogin.HIDDEN,
        True,
        {"model_provider": "x"},
    )
    (home / "auth.json").write_text(json.dumps({"OPENAI_API_KEY": SECRET}))
    (home / "config.toml").write_text("nonsense = = ")
    found = gather(environ)
    assert (found.login, found.settings_trouble) == (ClientLogin.API_KEY, "it is not valid TOML")
    assert SECRET not in repr(found)
    (home / "auth.json").write_text("{")
    assert gather(environ).login is ClientLogin.UNREADABLE


# --- judgement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "state"),
    [
        (ClientFacts(), OK),
        (ClientFacts(version=(TRIED[0], TRIED[1] + 1, 0)), NOTE),
        (ClientFacts(version=None), WARNING),
        (ClientFacts(program=None, version=None), NOTE),
    ],
)
def test_its_version(client: ClientFacts, state: object) -> None:
    assert only(doctor_client.version(client)).state is state


def test_its_features() -> None:
    def judged(**features: bool) -> list[object]:
        return [state for _, state in short(doctor_client.features(ClientFacts(features=features)))]

    assert judged(apps=True, use_agent_identity=False) == [OK]
    assert judged(use_agent_identity=True) == [PROBLEM]
    assert judged(network_proxy=True) == [OK, NOTE]
    assert judged(respect_system_proxy=True) == [OK, WARNING]
    assert judged() == [NOTE]
    assert short(doctor_client.features(ClientFacts(program=None))) == []


def test_its_settings() -> None:
    assert only(doctor_client.settings(ClientFacts())).state is OK
    assert only(doctor_client.settings(ClientFacts(settings_trouble="Is a directory"))).state is WARNING
    led = ClientFacts(elsewhere={"model_provider": "x", "openai_base_url": "gw.test"})
    assert [state for _, state in short(doctor_client.settings(led))] == [PROBLEM, PROBLEM]


@pytest.mark.parametrize(
    ("login", "state"),
    [(ClientLogin.CHATGPT, OK), (ClientLogin.API_KEY, PROBLEM), (ClientLogin.NONE, PROBLEM),
     (ClientLogin.AGENT, PROBLEM), (ClientLogin.OTHER, PROBLEM), (ClientLogin.HIDDEN, NOTE),
     (ClientLogin.UNREADABLE, PROBLEM)],
)  # fmt: skip
def test_its_login(login: ClientLogin, state: object) -> None:
    client = ClientFacts(login=login, login_trouble="/c/auth.json: it is not JSON. Log in again.")
    assert only(doctor_client.login(client)).state is state


def test_a_key_in_the_environment() -> None:
    assert [state for _, state in short(doctor_client.login(ClientFacts(key_variable=True)))] == [OK, WARNING]
