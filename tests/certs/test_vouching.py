"""What a client that trusts the CA believes and what not: from the real proxy, and from whoever steals the key."""

import ipaddress
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certs import ca
from config import clock
from standin import StandIn
from tests.certs.conftest import DAY, authority, handshake, serving, sign, trusting
from tests.harness import PATIENCE, Proxy, fill, options

OURS = ["chatgpt.com", "gov.chatgpt.com"]
OUTSIDE = "permitted subtree violation"
ADDRESS = "excluded subtree violation"
FOREIGN = [
    ("example.com", OUTSIDE),
    ("auth.openai.com", OUTSIDE),
    ("api.openai.com", OUTSIDE),
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


def visit(proxy: Proxy, host: str, trusted: Path | None = None) -> x509.Certificate:
    """CONNECT and TLS with only our CA trusted, or only that file; the certificate the proxy showed."""
    target = f"[{host}]" if ":" in host else host
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as raw:
        raw.sendall(f"CONNECT {target}:443 HTTP/1.1\r\nHost: {target}:443\r\n\r\n".encode())
        assert b" 200 " in raw.recv(4096)
        context = trusting(trusted or proxy.confdir / ca.CERTIFICATE_FILE)
        with context.wrap_socket(raw, server_hostname=host) as sock:
            shown = sock.getpeercert(binary_form=True)
            assert shown is not None
            return x509.load_der_x509_certificate(shown)


@pytest.mark.parametrize("host", OURS)
def test_the_proxy_is_believed_for_the_provider_s_hosts(proxy: Proxy, host: str) -> None:
    """And it signs with our key: mitmproxy has not made one of its own."""
    shown = visit(proxy, host)
    assert shown.issuer == authority(proxy.confdir)[0]
    assert ca.examine(proxy.confdir, clock.now()).condition is ca.CertificateCondition.USABLE


@pytest.mark.parametrize(("host", "why"), FOREIGN)
def test_the_proxy_is_not_believed_for_any_other(proxy: Proxy, host: str, why: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        visit(proxy, host)


# --- a renewal -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Renewed:
    """A proxy that was started before a renewal and still runs, one that was started after it, and the renewal."""

    before: Proxy
    after: Proxy
    done: ca.CaChange

    @property
    def both(self) -> tuple[Proxy, Proxy]:
        return self.before, self.after


@pytest.fixture(scope="module")
def renewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Renewed]:
    """The CA is almost a year old, so that it is due in earnest."""
    folder = tmp_path_factory.mktemp("renewed")
    confdir, now = folder / "ca", clock.now()
    ca.create(confdir, now - 340 * DAY)
    with StandIn() as upstream:
        fill(folder / "rotate", [upstream.add_account("acc-1")], folder)
        with Proxy(upstream, folder / "rotate", confdir) as before:
            before.output.wait_for("codex-rotate: 1 accounts from", seconds=60)
            visit(before, "chatgpt.com", before.ca_file)  # it reads its CA after it has said so
            done = ca.ensure(confdir, now)
            with Proxy(upstream, folder / "rotate", confdir) as after:
                yield Renewed(before, after, done)


def test_a_client_that_starts_after_a_renewal_believes_both_proxies(renewed: Renewed) -> None:
    """Each signs with its own key: the one before still with the old one."""
    assert renewed.done.action is ca.CaAction.RENEWED
    assert renewed.done.old is not None
    old = x509.load_pem_x509_certificate(renewed.done.old.read_bytes())
    shown = [visit(proxy, "chatgpt.com", renewed.done.trusted_file).issuer for proxy in renewed.both]
    assert shown == [old.subject, renewed.done.certificate.subject]


def test_with_the_new_certificate_alone_it_would_not(renewed: Renewed) -> None:
    """The control: this is what a renewal broke before there was an overlap."""
    with pytest.raises(ssl.SSLCertVerificationError):
        visit(renewed.before, "chatgpt.com", renewed.done.certificate_file)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_itself_believes_both(renewed: Renewed) -> None:
    """A TLS library that we have not set up."""
    for proxy in renewed.both:
        asked = ["openssl", "s_client", "-proxy", f"127.0.0.1:{proxy.port}", "-connect", "chatgpt.com:443"]
        strict = ["-servername", "chatgpt.com", "-verify_hostname", "chatgpt.com", "-x509_strict"]
        trust = ["-CAfile", str(renewed.done.trusted_file), "-no-CApath", "-no-CAstore", "-verify_return_error"]
        said = subprocess.run(
            [*asked, *strict, *trust], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PATIENCE
        )
        assert (said.returncode, b"Verify return code: 0 (ok)" in said.stdout) == (0, True), said.stderr


# --- a stolen key ----------------------------------------------------------------------------------------------------


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


def test_a_key_that_leaked_is_believed_by_nobody_new(folder: Path, now: float) -> None:
    """Unlike one that was replaced because it was time."""
    ca.create(folder, now)
    stolen = forged(folder, now, "chatgpt.com")
    done = ca.renew(folder, now, force=True)
    handshake(trusting(done.trusted_file), stolen, "chatgpt.com")
    done = ca.renew(folder, now, leaked=True)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(trusting(done.trusted_file), stolen, "chatgpt.com")
