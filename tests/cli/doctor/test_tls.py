"""Whose certificate is shown where the provider's should be: seen in a handshake without a request, and judged."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.doctor.tls import ShownCertificate, meaning, read, shown
from config.network.outbound import OutboundRoute
from config.network.proxy_address import read_proxy
from standin import StandIn
from tests.cli.doctors import free, listening
from tests.corporate import Corporate, Trouble

SETTINGS = "ours/ca/config.yaml"


@pytest.fixture(scope="module")
def upstream() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def test_directly(upstream: StandIn) -> None:
    """Nobody vouches for it here, and all the same it is seen who has issued it. No request was made."""
    found = shown(OutboundRoute(), "127.0.0.1", upstream.port)
    assert found is not None
    assert found.issuer == "stand-in test CA"
    assert found.begins is not None
    assert found.ends is not None
    assert found.begins < found.ends
    assert not upstream.requests


@pytest.mark.parametrize(("user", "password"), [("", ""), ("ann", "p@ss")])
def test_through_a_company_s_proxy(upstream: StandIn, user: str, password: str) -> None:
    with Corporate({443: upstream.port}, user, password) as corporate:
        way = OutboundRoute(proxy=read_proxy(corporate.url(user, "p%40ss")))
        found = shown(way)
        assert found is not None
        assert found.issuer == "stand-in test CA"
        assert corporate.targets() == ["chatgpt.com:443"]
        corporate.trouble = Trouble.REFUSE
        assert shown(way) is None


def test_where_it_does_not_come_to_that() -> None:
    nobody = free()
    assert shown(OutboundRoute(), "127.0.0.1", int(nobody.rpartition(":")[2])) is None
    assert shown(OutboundRoute(proxy=read_proxy("https://proxy.example:3128"))) is None
    with listening() as stranger:
        assert shown(OutboundRoute(), "127.0.0.1", int(stranger.rpartition(":")[2])) is None


@pytest.mark.parametrize("content", [b"", b"no certificate", b"\x30\x03\x02\x01\x00"])
def test_what_is_no_certificate(content: bytes) -> None:
    assert read(content) is None


NOON = dt.datetime(2026, 11, 15, 12, tzinfo=dt.UTC)
CORPORATE = ShownCertificate(issuer="Example Corp Root", begins=NOON, ends=NOON)


@pytest.mark.parametrize(
    ("reason", "found", "said", "remedy"),
    [
        (
            "unable to get local issuer certificate",
            CORPORATE,
            "is shown, issued by Example Corp Root, is refused (unable to get local issuer certificate)",
            f"`ssl_verify_upstream_trusted_ca: FILE` in {SETTINGS} for the proxy, and SSL_CERT_FILE=FILE for commands",
        ),
        ("self-signed certificate", None, "the certificate that is shown is refused (self-signed", "opens TLS"),
        ("certificate is not yet valid", CORPORATE, "it begins on 2026-11-15 12:00 UTC", "Set this machine's clock"),
        ("certificate has expired", CORPORATE, "it ended on 2026-11-15 12:00 UTC", "Check this machine's clock"),
        ("certificate has expired", None, "is refused (certificate has expired)", "Check this machine's clock"),
    ],
)
def test_what_it_means(reason: str, found: ShownCertificate | None, said: str, remedy: str) -> None:
    """A stranger's certificate, or a clock."""
    what, do = meaning(reason, found, SETTINGS)
    assert what.startswith("TLS to the provider fails: ")
    assert said in what
    assert remedy in do
    assert do.endswith(".")


def test_an_issuer_that_would_paint_the_terminal(tmp_path: Path) -> None:
    """It is a stranger's text: one line, not too long, nothing but letters."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a\x1b[31m" + "b" * 50), x509.NameAttribute(
        NameOID.ORGANIZATION_NAME, "c" * 60)])  # fmt: skip
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, NOON, NOON + dt.timedelta(days=1))
    found = read(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    assert found is not None
    assert found.issuer.startswith("a[31mbbb")
    assert len(found.issuer) == 80
    assert found.issuer.endswith("…")
