"""Control from another process, and the command that serves until its stdin closes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from standin import StandIn
from tests.harness import eventually
from tests.standin.clients import QUICK, RESPONSES

ROOT = Path(__file__).resolve().parents[2]


def control(upstream: StandIn, work: str, **asked: Any) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{upstream.plain_port}/_standin/{work}", json=asked, **QUICK)


def post(upstream: StandIn, token: str) -> httpx.Response:
    url = f"{upstream.base_url}/codex/responses"
    return httpx.post(url, headers={"authorization": f"Bearer {token}"}, json={"input": []}, **QUICK)


def test_account_fault_clear(upstream: StandIn) -> None:
    """An account is made, a fault strikes it as often as was said, and is cleared."""
    auth = control(upstream, "account", account_id="acc-1", user_id="user-1", plan="pro", answer="Hi.").json()
    token = auth["tokens"]["access_token"]
    assert control(upstream, "fault", account="acc-1", kind="usage_limit", times=1, resets_in=60).status_code == 200
    limited = post(upstream, token)
    assert (limited.status_code, limited.json()["error"]["plan_type"]) == (429, "pro")
    assert "Hi." in post(upstream, token).text
    control(upstream, "fault", account="acc-1", kind="overloaded")
    assert post(upstream, token).status_code == 503
    control(upstream, "clear", account="acc-1")
    assert post(upstream, token).status_code == 200
    for work in ("expire", "revoke"):
        control(upstream, work, account="acc-1")
        assert post(upstream, token).status_code == 401


def test_requests_are_shown_without_tokens(upstream: StandIn) -> None:
    """Another process sees what was asked and for whom, and no token."""
    auth = control(upstream, "account", account_id="acc-1").json()
    post(upstream, auth["tokens"]["access_token"])
    refresh = {"grant_type": "refresh_token", "refresh_token": auth["tokens"]["refresh_token"]}
    httpx.post(upstream.token_url, json=refresh, **QUICK)
    answer = httpx.get(f"http://127.0.0.1:{upstream.plain_port}/_standin/requests", **QUICK)
    first, second = answer.json()
    assert (first["path"], first["account_id"], first["status"]) == (RESPONSES, "acc-1", 200)
    assert json.loads(first["body"]) == {"input": []}
    assert second["path"] == "/oauth/token"
    assert not [token for token in auth["tokens"].values() if token != "acc-1" and token in answer.text]


def test_logins_and_release(upstream: StandIn) -> None:
    """The rest of the door: who logs in, which device, and the release."""
    control(upstream, "account", account_id="acc-1")
    for work in ("login_as", "approve_device"):
        assert control(upstream, work, account="acc-1").status_code == 200
    assert control(upstream, "release").status_code == 200


@pytest.mark.parametrize(
    ("work", "asked"),
    [
        ("fault", {"account": "acc-1", "kind": "hang"}),
        ("fault", {"kind": "nonsense"}),
        ("fault", {"kind": "hang", "colour": "red"}),
        ("account", {}),
    ],
)
def test_mistakes(upstream: StandIn, work: str, asked: dict[str, str]) -> None:
    """A mistake gets 400 and says what it is."""
    answer = control(upstream, work, **asked)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_only_on_the_plain_listener(upstream: StandIn, http: httpx.Client) -> None:
    """Through the TLS listener, where proxies connect, there is no control."""
    assert http.get("/_standin/requests").status_code == 404
    assert control(upstream, "nonsense").status_code == 404


def test_the_command() -> None:
    """One JSON line says where; the end of stdin ends it and removes its files."""
    command = [sys.executable, "-W", "error", "-m", "standin"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        place = json.loads(process.stdout.readline())
        url = f"http://127.0.0.1:{place['plain_port']}/_standin/requests"
        assert httpx.get(url, **QUICK).json() == []
        assert Path(place["ca_file"]).is_file()
        process.stdin.close()
        assert process.wait(timeout=10) == 0
    assert not Path(place["ca_file"]).exists()


@pytest.mark.skipif(os.name != "posix", reason="signals are posix")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_command_in_the_background_of_a_shell(number: signal.Signals, tmp_path: Path) -> None:
    """A file says where, in a shell's words; it has no use for stdin, ends with the terminal, and leaves nothing."""
    file = tmp_path / "it's here.env"
    command = [sys.executable, "-W", "error", "-m", "standin", "--env", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL) as process:
        assert eventually(file.exists)
        asked = '. "$1" && curl -sS "$STANDIN_URL/_standin/requests" && echo " $STANDIN_PID $STANDIN_CA"'
        told = subprocess.run(["sh", "-c", asked, "sh", str(file)], capture_output=True, text=True, check=True).stdout
        requests, pid, ca_file = told.split()
        assert (requests, int(pid)) == ("[]", process.pid)
        assert Path(ca_file).is_file()
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
    assert not Path(ca_file).exists()
    assert not list(tmp_path.iterdir())


def test_cases_by_name(upstream: StandIn) -> None:
    """Another process asks for what users have met by its name, with details of its own, and for lists of models."""
    auth = control(upstream, "account", account_id="acc-1").json()
    token = auth["tokens"]["access_token"]
    assert control(upstream, "fault", account="acc-1", case="bare_421", times=1).status_code == 200
    assert post(upstream, token).status_code == 421
    control(upstream, "fault", account="acc-1", kind="failed_event", at="shell", code="slow_down", lasting=60)
    assert "slow_down" in post(upstream, token).text
    assert control(upstream, "fault", account="acc-1", case="nonsense").status_code == 400
    assert control(upstream, "lists", account="acc-1", models=["gpt-5"]).status_code == 200
    answer = httpx.get(f"{upstream.base_url}/codex/models", headers={"authorization": f"Bearer {token}"}, **QUICK)
    assert answer.json()["models"][0]["slug"] == "gpt-5"
