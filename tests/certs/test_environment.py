"""What clients get to see of the proxy: an address that all of the client takes, and what they are to trust."""

import os
import ssl
from pathlib import Path

import pytest

from certs import ca
from certs.bundles import certificates
from certs.environment import (
    TOOL_VARIABLES,
    BadProxyAddress,
    NoCaCertificate,
    Proxy,
    bypasses,
    client_environment,
    durable_environment,
    full_environment,
    merged_no_proxy,
    proxy_at,
    read_trusted,
    trusted_file,
)
from tests.rows import all_rows

KEY = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def pem(body: str) -> bytes:
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode()


OURS, ROOT_A = pem("OURS"), pem("ROOTA")
PROXY = "http://127.0.0.1:8118"


# --- variables -------------------------------------------------------------------------------------------------------


def test_a_client_gets_three_variables() -> None:
    assert client_environment("http://127.0.0.1:8118/", Path("ca.pem"), {"NO_PROXY": "x.example"}) == {
        "HTTPS_PROXY": "http://127.0.0.1:8118",
        "NO_PROXY": "localhost,127.0.0.1,::1,x.example",
        "CODEX_CA_CERTIFICATE": "ca.pem",
    }


def test_its_own_file_gets_none_that_it_ignores() -> None:
    """CODEX_* is ignored there."""
    variables = durable_environment("http://127.0.0.1:8118", Path("bundle.pem"), "")
    assert variables.keys() == {"HTTPS_PROXY", "SSL_CERT_FILE", "NO_PROXY"}


@pytest.mark.parametrize(
    ("users", "merged"),
    [
        ("", "localhost,127.0.0.1,::1"),
        ("a.example, localhost ,,A.example", "localhost,127.0.0.1,::1,a.example"),
        ("LOCALHOST,.corp", "localhost,127.0.0.1,::1,.corp"),
    ],
)
def test_no_proxy_keeps_what_the_user_has_and_nothing_twice(users: str, merged: str) -> None:
    assert merged_no_proxy(users) == merged
    assert merged_no_proxy(merged) == merged


def test_the_lower_case_spelling_counts_where_the_other_is_missing() -> None:
    assert client_environment("http://h:1", Path("ca"), {"no_proxy": "b"})["NO_PROXY"].endswith(",b")
    assert client_environment("http://h:1", Path("ca"), {"NO_PROXY": "a", "no_proxy": "b"})["NO_PROXY"].endswith(",a")


@all_rows(
    ("no_proxy", "found"),
    [
        ("localhost,openai.com", ()),
        ("*", ("*",)),
        ("a, chatgpt.com ,.chatgpt.com,*.chatgpt.com", ("chatgpt.com", ".chatgpt.com", "*.chatgpt.com")),
        ("com,chatgpt.com:443,gpt.com", ("com", "chatgpt.com:443")),
    ],
)
def test_what_leads_past_the_proxy_is_found(no_proxy: str, found: tuple[str, ...]) -> None:
    assert bypasses(no_proxy) == found


@all_rows(
    ("url", "proxy"),
    [
        ("http://127.0.0.1:8118", Proxy("127.0.0.1", 8118, "http://127.0.0.1:8118")),
        ("http://127.0.0.1:8118/", Proxy("127.0.0.1", 8118, "http://127.0.0.1:8118")),
        ("http://[::1]:1", Proxy("::1", 1, "http://[::1]:1")),
        ("HTTP://who:pass@Host:80", Proxy("host", 80, "http://who:pass@Host:80")),
    ],
)
def test_an_address_has_scheme_host_and_port(url: str, proxy: Proxy) -> None:
    assert proxy_at(url) == proxy


@all_rows(
    "url",
    [
        *("127.0.0.1:8118", "https://127.0.0.1:8118", "socks5://h:1", "localhost:8118", "http://h", "http://:8118"),
        *("http://h:0", "http://h:99999", "http://h:x", "http://[::1:1", "http://h:1/path", "http://h:1?q", ""),
        *("http://h:1 ", "http://h\n:1", "http://h:1#f"),
    ],
)
def test_an_address_that_breaks_a_part_of_the_client_is_refused(url: str) -> None:
    """With the form to use, and without the address, which may hold a password."""
    with pytest.raises(BadProxyAddress, match="http://HOST:PORT") as caught:
        proxy_at(url)
    assert caught.value.exit_code == 2


def test_a_refused_address_does_not_show_its_password() -> None:
    with pytest.raises(BadProxyAddress) as caught:
        proxy_at("https://who:secret@h:1")
    assert "secret" not in str(caught.value)


# --- certificates ----------------------------------------------------------------------------------------------------


def test_only_certificates_are_read_and_all_of_them(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(KEY + OURS + b"a remark\r\n" + ROOT_A)
    assert read_trusted(file) + b"\n" == OURS + ROOT_A


@pytest.mark.parametrize(("content", "said"), [(None, "is not there"), (KEY, "holds no certificate")])
def test_a_missing_authority_names_the_command_to_run(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(NoCaCertificate, match=f"{said}.*codex-rotate ca create"):
        read_trusted(file)


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoCaCertificate, match="cannot be read"):
        read_trusted(tmp_path)


def test_an_authority_of_mitmproxy_s_own_has_its_certificate_alone(tmp_path: Path) -> None:
    """There is no file with replaced ones."""
    assert trusted_file(tmp_path) == tmp_path / "mitmproxy-ca-cert.pem"


def test_a_client_is_led_to_the_file_with_the_replaced_ones(tmp_path: Path, now: float) -> None:
    """Whoever starts a client after a renewal gets through to a proxy from before it."""
    folder = tmp_path / "a folder ü"
    old = ca.create(folder, now).certificate
    new = ca.renew(folder, now, force=True).certificate
    variables = full_environment(PROXY, folder, {})
    assert variables == client_environment(PROXY, folder / "trusted.pem", {})
    context = ssl.create_default_context(cafile=variables["CODEX_CA_CERTIFICATE"])
    assert len(context.get_ca_certs()) == 2
    assert new != old


def test_all_tools_get_a_full_bundle_with_what_the_client_trusts(tmp_path: Path, now: float) -> None:
    """One file under every name; a tool that takes it instead of the system's roots loses none."""
    ca.create(tmp_path, now)
    ca.renew(tmp_path, now, force=True)
    variables = full_environment(PROXY, tmp_path, {}, all_tools=True)
    assert {variables[name] for name in TOOL_VARIABLES} == {str(tmp_path / "all-tools.pem")}
    assert variables["CODEX_CA_CERTIFICATE"] == str(tmp_path / "trusted.pem")
    found = certificates((tmp_path / "all-tools.pem").read_bytes())
    assert found[-2:] == certificates((tmp_path / "trusted.pem").read_bytes())
    assert ssl.create_default_context(cafile=variables["SSL_CERT_FILE"]).cert_store_stats()["x509_ca"] > 12
    assert not (tmp_path / "bundle.pem").exists()


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"])
def test_the_roots_that_the_user_gave_to_any_tool_stay(tmp_path: Path, now: float, name: str) -> None:
    """A company's, for instance; also in a shell within a shell, where the variables name our own bundle."""
    ca.create(tmp_path, now)
    company = tmp_path / "company.pem"
    company.write_bytes(ROOT_A)
    for _ in range(2):
        variables = full_environment(PROXY, tmp_path, {name: str(company)}, all_tools=True)
        company = Path(variables[name])
        assert ROOT_A.rstrip() in certificates(company.read_bytes())


@pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")
def test_without_an_authority_no_bundle_is_written(tmp_path: Path) -> None:
    with pytest.raises(NoCaCertificate):
        full_environment(PROXY, tmp_path, {}, all_tools=True)
    assert list(tmp_path.iterdir()) == []
