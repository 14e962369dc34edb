"""`doctor` with the official CLI, whose own network checks it runs through the proxy that it starts."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certs import ca
from config import clock, dotenv
from tests import warm
from tests.cli.doctors import Machine, free, machine, private
from tests.harness import MITMDUMP

ROTATE = str(MITMDUMP.with_name("codex-rotate"))
PATIENCE = 60.0


@pytest.fixture
def here(binary: Path, tmp_path: Path) -> Iterator[Machine]:
    """The way out ends at the stand-in; nothing but what a user can set leads there."""
    with machine(tmp_path) as made:
        made.environ["PATH"] = os.pathsep.join([str(binary.parent), os.environ["PATH"]])
        ca.create(made.home / "ca", clock.now())
        yield made


def doctor(here: Machine, *words: str, **more: str) -> tuple[int, dict[str, Any]]:
    """Its exit code, and what is not all right by name."""
    command = [ROTATE, "doctor", "--json", *words]
    done = warm.run(command, env=here.environ | more, capture_output=True, text=True, timeout=PATIENCE)
    told = json.loads(done.stdout)
    assert done.stderr == ""
    found = {each["name"]: each for each in told["findings"] if each["state"] in {"warning", "problem"}}
    found.pop("proxy.port", None)  # another program of this machine may have it
    return done.returncode, found


def test_all_is_well_and_no_quota_is_spent(here: Machine) -> None:
    """Our two requests and the client's own, all with an account of the pool; nothing is asked of the model."""
    assert doctor(here) == (0, {})
    seen = here.upstream.requests
    served = [each.account_id for each in seen if each.method == "GET"]
    assert served == ["acc-1"] * 3  # the models, our WebSocket, the client's WebSocket
    assert not [each for each in seen if each.method == "POST"]


def test_a_dead_block_breaks_the_client_until_it_is_mended(here: Machine) -> None:
    """The client's `.env` goes before what it is started with, so that its own checks fail too."""
    values = {"HTTPS_PROXY": free(), "SSL_CERT_FILE": str(here.home / "ca" / "trusted.pem"), "NO_PROXY": "localhost"}
    (here.client / ".env").write_bytes(dotenv.bind(None, values))
    code, found = doctor(here)
    assert (code, found["dotenv.block"]["state"]) == (1, "problem")
    assert found["client.doctor.network.provider_reachability"]["state"] == "problem"
    assert "probe.models" not in found
    assert doctor(here, "--fix") == (0, {})


def test_a_feature_that_no_pool_can_serve(here: Machine) -> None:
    """The client says itself that it is on."""
    private(here.client / "config.toml", "[features]\nuse_agent_identity = true\n")
    code, found = doctor(here)
    assert (code, found["client.features"]["state"]) == (1, "problem")


@pytest.mark.parametrize("login", [{"OPENAI_API_KEY": "sk-made-up", "tokens": None}, None])
def test_a_client_without_a_chatgpt_login(here: Machine, login: dict[str, Any] | None) -> None:
    """The pool itself is tried all the same."""
    file = here.client / "auth.json"
    if login is None:
        file.unlink()
    else:
        private(file, json.dumps(login))
    code, found = doctor(here)
    assert (code, found["client.login"]["state"]) == (1, "problem")
    assert "probe.models" not in found
    assert "probe.websocket" not in found
