"""The official client's own checks, taken over as findings."""

import json
from pathlib import Path

import pytest

from cli.doctor import official
from cli.doctor.official import Official, OfficialCheck, gather, read
from cli.doctor.probe import Reached
from config.proxy_files import ProxyInfo
from tests.cli.doctors import NOTE, OK, PASSING, PROBLEM, WARNING, fake_codex, only, short

FAILING = json.dumps(
    {
        "overallStatus": "fail",
        "checks": {
            "config.load": {"status": "ok", "summary": "config loaded", "remediation": None},
            "network.provider_reachability": {
                "status": "fail", "summary": "endpoints are unreachable", "remediation": "Check proxy.",
                "details": {"url": "https://secret.test"},
            },
            "network.websocket_reachability": {"status": "warning", "summary": "a\n\x1b[31mb", "remediation": None},
        },
    }
)  # fmt: skip
"""As codex-cli 0.169.0 writes it."""


@pytest.fixture
def to(tmp_path: Path) -> Reached:
    certificate = str(tmp_path / "mitmproxy-ca-cert.pem")
    told = ProxyInfo(url="http://127.0.0.1:1", pid=1, home=str(tmp_path), certificate=certificate, version="1")
    return Reached(told, "a-key", started=False)


def test_it_is_run_behind_the_proxy(tmp_path: Path, to: Reached) -> None:
    """With what `run` gives a client, our key included."""
    program = fake_codex(tmp_path / "bin") / "codex"
    found = gather(str(program), to, {"HOME": str(tmp_path), "https_proxy": "http://old:1"})
    assert found == Official(checks=(OfficialCheck("network.env", "ok", "fine", ""),))
    seen = json.loads((tmp_path / "bin" / "seen.json").read_text())
    assert seen["HTTPS_PROXY"] == "http://-:a-key@127.0.0.1:1"
    assert seen["CODEX_CA_CERTIFICATE"] == to.presence.certificate
    assert "https_proxy" not in seen


def test_an_older_client_is_not_asked(tmp_path: Path, to: Reached) -> None:
    """It would take the word for a prompt."""
    program = fake_codex(tmp_path / "bin", doctor="") / "codex"
    assert gather(str(program), to, {}) == Official(there=False)
    assert not (tmp_path / "bin" / "seen.json").exists()


def test_a_client_that_is_gone_or_says_something_else(tmp_path: Path, to: Reached) -> None:
    assert gather(str(tmp_path / "none"), to, {}) == Official(there=False)
    for said in ("not JSON", "[]", '{"checks": []}', '{"checks": {"a": 1}}', '{"checks": {"a": {}}}'):
        assert read(said).trouble, said


def test_its_findings() -> None:
    found = list(official.checks(read(FAILING)))
    assert short(found) == [
        ("client.doctor.network.provider_reachability", PROBLEM),
        ("client.doctor.network.websocket_reachability", WARNING),
    ]
    assert (found[0].remedy, "secret.test" in repr(found)) == ("Check proxy.", False)
    assert found[1].what == "The client says: a [31mb."


def test_when_all_is_well_or_nothing_was_told() -> None:
    assert only(official.checks(read(PASSING))).state is OK
    assert only(official.checks(Official(there=False))).state is NOTE
    assert only(official.checks(Official(trouble="it was silent"))).state is NOTE
    assert list(official.checks(None)) == []


def test_a_status_of_a_later_client_is_a_note() -> None:
    later = Official(checks=(OfficialCheck("a", "skipped", "not looked at", ""),))
    assert only(official.checks(later)).state is NOTE
