"""One certificate of an authority of ours: how it is signed, how it is read, and what it says of itself."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.bundles import ORGANIZATION
from config.provider import PROVIDER

DOMAINS: Final = PROVIDER.domains
"""What the CA can vouch for: these hosts and those below them. They are those that the proxy opens, and no others."""
EARLIER_DOMAINS: Final = PROVIDER.earlier_domains
"""What one of an earlier version can vouch for as well; it is renewed without."""
NO_ADDRESS: Final = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
RENEWED_BEFORE: Final = dt.timedelta(days=30)
BACKDATED: Final = dt.timedelta(days=1)
"""So that a client whose clock is behind, as in a container or a virtual machine, accepts a new one at once."""
UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm)
"""What cryptography raises for bytes that it cannot make sense of, a key with a passphrase included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateKind:
    """What sort of authority: its name in lists, how long it lives, and whether it is held to the provider's hosts."""

    name: str
    lifetime: dt.timedelta
    narrow: bool


OURS: Final = CertificateKind(name="codex-rotate CA", lifetime=dt.timedelta(days=365), narrow=True)


# --- making ----------------------------------------------------------------------------------------------------------


def new(kind: CertificateKind, now: float) -> tuple[x509.Certificate, bytes]:
    """A certificate with a new key, and both as the PEM that mitmproxy reads: the key first."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(kind, key, now)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate, secret + pem(certificate)


def _signed(kind: CertificateKind, key: ec.EllipticCurvePrivateKey, now: float) -> x509.Certificate:
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    # Unlike the host's name it is unique, also among the CAs of one machine, and tells nobody anything.
    common = x509.NameAttribute(NameOID.COMMON_NAME, f"{kind.name} {identifier.digest.hex()[:12]}")
    name = x509.Name([common, x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION)])
    usage = {"key_cert_sign", "crl_sign"}
    others = {"digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"}
    flags = {flag: flag in usage for flag in usage | others | {"encipher_only", "decipher_only"}}
    builder = (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .subject_name(name)
        .issuer_name(name)
        .not_valid_before(moment(now) - BACKDATED)
        .not_valid_after(moment(now) + kind.lifetime)
        .public_key(public)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**flags), critical=True)
        # Names of other kinds, as in mail and code signing, are not constrained: so it is for TLS servers only.
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
    )
    if kind.narrow:
        names = x509.NameConstraints(
            permitted_subtrees=[x509.DNSName(domain) for domain in DOMAINS],
            excluded_subtrees=[x509.IPAddress(network) for network in NO_ADDRESS],
        )
        builder = builder.add_extension(names, critical=True)
    return builder.sign(key, hashes.SHA256())


# --- reading ---------------------------------------------------------------------------------------------------------


def certificate_in(file: Path) -> x509.Certificate | None:
    """The first one in a file; None where there is none that can be read. Raises OSError."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (FileNotFoundError, *UNREADABLE):
        return None


def pair_in(raw: bytes) -> tuple[x509.Certificate, bool] | None:
    """The certificate beside a key, and whether it is the key's own; None for what cannot be read."""
    try:
        key = serialization.load_pem_private_key(raw, None).public_key()
        certificate = x509.load_pem_x509_certificates(raw)[0]
        return certificate, _spki(key) == _spki(certificate.public_key())
    except UNREADABLE:
        return None


def _spki(key: object) -> bytes:
    if not hasattr(key, "public_bytes"):
        raise TypeError(type(key).__name__)
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


# --- what it says ----------------------------------------------------------------------------------------------------


def due(certificate: x509.Certificate, now: float, before: dt.timedelta = RENEWED_BEFORE) -> bool:
    """Whether it has no more than that to go: 30 days."""
    return certificate.not_valid_after_utc - moment(now) <= before


def days_left(certificate: x509.Certificate, now: float) -> int:
    """Whole days; negative once it has expired."""
    return (certificate.not_valid_after_utc - moment(now)).days


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, as `openssl x509 -fingerprint -sha256` prints it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def common_name(certificate: x509.Certificate) -> str:
    """The short name for people; the whole subject where there is none."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else certificate.subject.rfc4514_string()


def constraints(certificate: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What it can vouch for and what it cannot; nothing in the first one means anything."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return (), ()
    permitted, excluded = found.permitted_subtrees or [], found.excluded_subtrees or []
    return tuple(str(name.value) for name in permitted), tuple(str(name.value) for name in excluded)


def is_narrow(certificate: x509.Certificate) -> bool:
    """Whether TLS libraries would refuse everything from it but hosts of ours. Raises one of UNREADABLE."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    permitted, excluded = found.value.permitted_subtrees or [], found.value.excluded_subtrees or []
    names = [name.value for name in permitted if isinstance(name, x509.DNSName)]
    addresses = {name.value for name in excluded if isinstance(name, x509.IPAddress)}
    return (
        found.critical
        and basic.value.ca
        and basic.value.path_length == 0
        and bool(names)
        and len(names) == len(permitted)
        and set(names) <= {*DOMAINS, *EARLIER_DOMAINS}
        and addresses >= set(NO_ADDRESS)
    )


def pem(*certificates: x509.Certificate) -> bytes:
    """As the text that files hold."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def moment(now: float) -> dt.datetime:
    """Seconds since the epoch, as certificates count them."""
    return dt.datetime.fromtimestamp(int(now), tz=dt.UTC)
