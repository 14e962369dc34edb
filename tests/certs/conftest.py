"""An authority in a folder of its own, and what tests do with its key: forge what it must not be able to vouch for."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certs import ca
from config import clock

type Key = ec.EllipticCurvePrivateKey

DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Not there yet."""
    return tmp_path / "home" / "ca"


@pytest.fixture
def now() -> float:
    """Real time: TLS libraries look at the clock by themselves."""
    return float(int(clock.now()))


def contents(folder: Path) -> dict[str, bytes]:
    """What is in the folder beside the lock."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != ".lock"}


def key_in(file: Path) -> Key:
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def secrets_in(file: Path) -> list[str]:
    """The lines of the key, as PEM has them; the last part alone is enough to show a leak."""
    inside = file.read_text().partition("PRIVATE KEY-----\n")[2].partition("-----END")[0]
    return [line for line in inside.splitlines() if len(line) > 20]


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def plain(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def sign(
    issuer: tuple[x509.Name, Key], subject: str, key: Key, now: float, *extensions: x509.ExtensionType
) -> x509.Certificate:
    """Any certificate at all; nothing here keeps to what the issuer may do."""
    start = dt.datetime.fromtimestamp(now, tz=dt.UTC) - dt.timedelta(hours=1)
    name, secret = issuer
    builder = (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(name)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=30))
        .public_key(key.public_key())
    )
    for extension in (
        *extensions,
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(secret.public_key()),
    ):
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(secret, hashes.SHA256())


def trusting(file: Path) -> ssl.SSLContext:
    """A client that trusts this authority and nobody else, as strict as Python can be."""
    context = ssl.create_default_context(cafile=str(file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert [found["subject"] for found in context.get_ca_certs()]
    return context


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> str | None:
    """TLS in memory: the version it came to. Raises what the client thinks of the server."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [ours, theirs]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
        if not waiting:
            return ours.version()
    raise AssertionError("the handshake went nowhere")


def serving(file: Path, key: Key, *chain: x509.Certificate) -> ssl.SSLContext:
    file.write_bytes(plain(key) + pem(*chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def authority(folder: Path) -> tuple[x509.Name, Key]:
    """What somebody has who stole the key."""
    file = folder / ca.KEY_FILE
    return x509.load_pem_x509_certificate(file.read_bytes()).subject, key_in(file)
