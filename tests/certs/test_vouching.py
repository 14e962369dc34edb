"""What a client that trusts the CA believes and what not: from the real proxy, and from whoever steals the key."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certs import ca
from config import clock
from standin import StandIn
from tests.certs.conftest import authority, handshake, serving, sign, trusting
from tests.harness import PATIENCE, Proxy, fill, options

OURS = ["chatgpt.com", "gov.chatgpt.com", "auth.openai.com"]
OUTSIDE = "permitted subtree violation"
ADDRESS = "excluded subtree violation"
FOREIGN = [
    ("example.com", OUTSIDE),
    ("notchatgpt.com", OUTSIDE),
    ("chatgpt.com.example.com", OUTSIDE),
    ("127.0.0.1", ADDRESS),
    ("203.0.113.7", ADDRESS),
    ("2001:db8::7", ADDRESS),
]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """It intercepts whatever it is asked for, and has our folder for its confdir."""
    folder = tmp_path_factory.mktemp("vouching")
    ca.create(folder / "ca", clock.now())
    with StandIn() as upstream:
        fill(folder / "rotate", [upstream.add_account("acc-1")], folder)
        with Proxy(upstream, folder / "rotate", folder / "ca", options(allow_hosts=".*")) as running:
            yield running


def visit(proxy: Proxy, host: str) -> x509.Certificate:
    """CONNECT and TLS with only our CA trusted; the certificate the proxy showed."""
    target = f"[{host}]" if ":" in host else host
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as raw:
        raw.sendall(f"CONNECT {target}:443 HTTP/1.1\r\nHost: {target}:443\r\n\r\n".encode())
        assert b" 200 " in raw.recv(4096)
        with trusting(proxy.confdir / ca.CERTIFICATE_FILE).wrap_socket(raw, server_hostname=host) as sock:
            shown = sock.getpeercert(binary_form=True)
            assert shown is not None
            return x509.load_der_x509_certificate(shown)


@pytest.mark.parametrize("host", OURS)
def test_the_proxy_is_believed_for_the_provider_s_hosts(proxy: Proxy, host: str) -> None:
    """And it signs with our key: mitmproxy has not made one of its own."""
    shown = visit(proxy, host)
    assert shown.issuer == authority(proxy.confdir)[0]
    assert ca.examine(proxy.confdir, clock.now()).condition is ca.Condition.USABLE


@pytest.mark.parametrize(("host", "why"), FOREIGN)
def test_the_proxy_is_not_believed_for_any_other(proxy: Proxy, host: str, why: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        visit(proxy, host)


def alternative(host: str) -> x509.SubjectAlternativeName:
    try:
        return x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    except ValueError:
        return x509.SubjectAlternativeName([x509.DNSName(host)])


def forged(folder: Path, now: float, host: str, *others: str) -> ssl.SSLContext:
    """A server with a certificate that a thief of the key has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([name for each in (host, *others) for name in alternative(each)])
    return serving(folder.parent / "leaf.pem", key, sign(authority(folder), host, key, now, names))


def test_a_stolen_key_is_good_for_the_provider_s_hosts(folder: Path, now: float) -> None:
    """The control of the tests below: what they try is refused for its names."""
    done = ca.create(folder, now)
    version = handshake(trusting(done.certificate_file), forged(folder, now, "chatgpt.com"), "chatgpt.com")
    assert version == "TLSv1.3"


@pytest.mark.parametrize(("host", "why"), FOREIGN)
def test_a_stolen_key_is_good_for_no_other_host(folder: Path, now: float, host: str, why: str) -> None:
    done = ca.create(folder, now)
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        handshake(trusting(done.certificate_file), forged(folder, now, host), host)


def test_a_foreign_name_beside_one_of_ours_is_refused(folder: Path, now: float) -> None:
    """Even when it is not the one that is visited. This is what copied upstream certificates run into."""
    done = ca.create(folder, now)
    with pytest.raises(ssl.SSLCertVerificationError, match=OUTSIDE):
        handshake(trusting(done.certificate_file), forged(folder, now, "chatgpt.com", "example.com"), "chatgpt.com")


def test_a_stolen_key_makes_no_further_authorities(folder: Path, now: float) -> None:
    """Not even for the provider's hosts."""
    done = ca.create(folder, now)
    middle, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        False,
    )
    signing = x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False)
    basic = x509.BasicConstraints(ca=True, path_length=None)
    between = sign(authority(folder), "between", middle, now, basic, signing)
    leaf = sign((between.subject, middle), "chatgpt.com", key, now, alternative("chatgpt.com"))
    server = serving(folder.parent / "chain.pem", key, leaf, between)
    with pytest.raises(ssl.SSLCertVerificationError, match="path length constraint exceeded"):
        handshake(trusting(done.certificate_file), server, "chatgpt.com")


def test_after_a_renewal_the_old_key_is_believed_by_nobody_new(folder: Path, now: float) -> None:
    ca.create(folder, now)
    stolen = forged(folder, now, "chatgpt.com")
    done = ca.renew(folder, now, force=True)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(trusting(done.certificate_file), stolen, "chatgpt.com")
    assert done.old is not None
    handshake(trusting(done.old), stolen, "chatgpt.com")
