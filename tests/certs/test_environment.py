"""What clients get to see of the proxy: an address that all of the client takes, and bundles that are complete."""

import os
import ssl
import stat
from pathlib import Path

import pytest

from certs.environment import (
    BadProxyAddress,
    BundleUnwritable,
    NoCaCertificate,
    NoRoots,
    Proxy,
    bundle,
    bypasses,
    certificates,
    client_environment,
    durable_environment,
    find_roots,
    merged_no_proxy,
    proxy_at,
    read_certificate,
    write_bundle,
)

posix = pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")

KEY = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def pem(body: str) -> bytes:
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode()


OURS, ROOT_A, ROOT_B = pem("OURS"), pem("ROOTA"), pem("ROOTB")


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


@pytest.mark.parametrize(
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


@pytest.mark.parametrize(
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


@pytest.mark.parametrize(
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


def test_a_bundle_is_all_roots_and_then_ours_each_once() -> None:
    """Line ends, remarks and doubles do not matter, and no private key comes along."""
    roots = b"# A root\r\n" + ROOT_A.replace(b"\n", b"\r\n") + KEY + ROOT_B + ROOT_A + OURS
    assert bundle(KEY + OURS, roots) == ROOT_A + ROOT_B + OURS


def test_a_bundle_without_roots_is_refused() -> None:
    """It would cut other tools off from everything else."""
    for roots in (b"", b"rubbish", OURS):
        with pytest.raises(NoRoots, match="ca-certificates"):
            bundle(OURS, roots)


def test_only_the_certificate_is_read(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(KEY + OURS)
    assert read_certificate(file) == OURS.rstrip()


@pytest.mark.parametrize(("content", "said"), [(None, "is not there"), (KEY, "holds no certificate")])
def test_a_missing_authority_names_the_command_to_run(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(NoCaCertificate, match=f"{said}.*codex-rotate ca create"):
        read_certificate(file)


def test_the_roots_of_this_system_can_be_used(tmp_path: Path) -> None:
    """What is found loads into a TLS library, without any variable."""
    found = find_roots(tmp_path / "bundle.pem", {})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=bundle(OURS, found).removesuffix(OURS).decode())
    assert context.cert_store_stats()["x509_ca"] > 10


def test_the_users_own_bundle_is_taken_too(tmp_path: Path) -> None:
    """A company's roots are needed by the same tools."""
    users = tmp_path / "company.pem"
    users.write_bytes(ROOT_A)
    found = certificates(find_roots(tmp_path / "bundle.pem", {"SSL_CERT_FILE": str(users)}))
    assert found[0] == ROOT_A.rstrip()
    assert len(found) > 10


def test_our_own_bundle_is_not_the_users(tmp_path: Path) -> None:
    """Else a replaced authority would stay trusted for ever."""
    ours = tmp_path / "bundle.pem"
    ours.write_bytes(ROOT_A)
    assert ROOT_A.rstrip() not in certificates(find_roots(ours, {"SSL_CERT_FILE": str(ours)}))


def test_a_bundle_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "made" / "bundle.pem"
    assert write_bundle(file, b"one")
    assert not write_bundle(file, b"one")
    assert write_bundle(file, b"two")
    assert file.read_bytes() == b"two"
    assert [each.name for each in file.parent.iterdir()] == ["bundle.pem"]


@posix
def test_a_bundle_is_its_owners_only(tmp_path: Path) -> None:
    """Whoever could write it could add an authority."""
    file = tmp_path / "made" / "bundle.pem"
    write_bundle(file, b"one")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_bundle_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bundle.pem").mkdir()
    with pytest.raises(BundleUnwritable, match="CODEX_ROTATE_HOME"):
        write_bundle(tmp_path / "bundle.pem", b"one")
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".unfinished")] == []
