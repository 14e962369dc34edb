"""Which certificates requests of our own trust, and how a variable that names no usable file is told."""

import os
from pathlib import Path

import pytest

from accounts.provider.asking import get_over_http
from accounts.tokens.refresh import post_json
from config.errors import ConfigError
from config.network.outbound import OutboundRoute
from config.network.trust import missing, ssl_context
from standin import StandIn

NAMES = ("SSL_CERT_FILE", "CODEX_CA_CERTIFICATE")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def unusable(kind: str, folder: Path) -> tuple[Path, str]:
    """A file of that kind, and what is said of it."""
    file = folder / "ca.pem"
    if kind == "missing":
        return file, "which is not there"
    if kind == "a folder":
        return folder, "which cannot be read"
    file.write_text("" if kind == "empty" else "no certificate")
    return file, "which holds no certificates"


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "a folder"])
def test_a_file_that_cannot_be_used_is_named_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Whoever asks: a command, or a refresh, whose token stays here."""
    file, why = unusable(kind, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    said = rf"SSL_CERT_FILE names {file}, {why}.*Correct it, or unset it"
    with pytest.raises(ConfigError, match=said):
        get_over_http("https://127.0.0.1:1/", {})
    with pytest.raises(OSError, match=said):
        post_json("https://127.0.0.1:1/", {}, lambda: pytest.fail("nothing may leave"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ca.pem"
    file.touch(mode=0o000)
    with pytest.raises(ConfigError, match="cannot be read"):
        ssl_context({"SSL_CERT_FILE": str(file)})


@pytest.mark.parametrize("name", NAMES)
def test_either_variable_makes_a_company_s_ca_trusted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn() as upstream:
        url = f"https://chatgpt.com:{upstream.port}/"
        context = ssl_context({name: str(upstream.ca_file)})
        assert [each["issuer"] for each in context.get_ca_certs() if "stand-in" in str(each["issuer"]).lower()], url


def test_the_client_s_variable_is_named_when_tls_fails_for_want_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It only adds, so everything else goes on without it."""
    import httpx

    monkeypatch.setenv("CODEX_CA_CERTIFICATE", str(tmp_path / "gone.pem"))
    assert ssl_context() is not None
    assert missing() == f"CODEX_CA_CERTIFICATE names {tmp_path / 'gone.pem'}, which is not there"
    with StandIn() as upstream, pytest.raises(httpx.ConnectError) as lost, OutboundRoute().client(5) as client:
        client.get(f"https://127.0.0.1:{upstream.port}/")
    assert missing() in OutboundRoute().failure(lost.value)


def test_nothing_is_missing_by_itself() -> None:
    assert missing({}) == ""
