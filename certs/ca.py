"""The proxy's certificate authority: made, examined and renewed in the folder that mitmproxy gets as its confdir.

It can vouch for the provider's hosts and for nothing else: whoever steals its key cannot pretend to be a bank or a mail
server to those who trust it. TLS libraries hold it to that by its name constraints.

Two of the files that mitmproxy would make are here: `mitmproxy-ca.pem`, the only place of the key, and
`mitmproxy-ca-cert.pem`, a copy of the certificate for those who are to trust it. The first one decides; the second can
be made from it at any time. The PKCS #12 files are left out, because one of them would be another copy of the key.
"""

import datetime as dt
import ipaddress
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.errors import CaBusy, CaMissing, CaThere, CaUnfit, CaUnreachable
from config import paths
from config.files import write_private

KEY_FILE: Final = "mitmproxy-ca.pem"
CERTIFICATE_FILE: Final = "mitmproxy-ca-cert.pem"
DOMAINS: Final = ("chatgpt.com", "openai.com")
"""What it can vouch for: these hosts and those below them."""
NO_ADDRESS: Final = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
LIFETIME: Final = dt.timedelta(days=365)
RENEWED_BEFORE: Final = dt.timedelta(days=30)
BACKDATED: Final = dt.timedelta(days=1)
"""So that a client whose clock is behind, as in a container or a virtual machine, accepts a new one at once."""
LOCK_SECONDS: Final = 8.0
REPLACE: Final = "Run `codex-rotate ca renew --force` to replace it with a new one"
_UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm)
"""What cryptography raises for bytes that it cannot make sense of, a key with a passphrase included."""


class Condition(StrEnum):
    USABLE = "usable"
    MISSING = "missing"
    DAMAGED = "damaged"
    """A file is gone or unreadable, or the key is not the certificate's."""
    UNCONSTRAINED = "unconstrained"
    """It could vouch for more than the provider's hosts: not one of ours."""
    COPY_DIFFERS = "copy_differs"
    """The certificate that clients trust is gone or is not the one that the proxy signs with."""
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is in the folder. `trouble` says which file is wrong and what to do, `repairs` which modes were."""

    condition: Condition
    certificate: x509.Certificate | None = None
    trouble: str = ""
    repairs: tuple[str, ...] = ()


class Action(StrEnum):
    NOTHING = "nothing"
    CREATED = "created"
    RENEWED = "renewed"
    MENDED = "mended"
    """The copy of the certificate was written again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done. `old` is where the certificate is that was replaced, if there was a readable one."""

    action: Action
    folder: Path
    certificate: x509.Certificate
    old: Path | None = None
    repairs: tuple[str, ...] = ()

    @property
    def certificate_file(self) -> Path:
        """What clients have to trust."""
        return self.folder / CERTIFICATE_FILE


# --- looking ---------------------------------------------------------------------------------------------------------


def due(certificate: x509.Certificate, now: float) -> bool:
    """Whether it has 30 days or less to go."""
    return certificate.not_valid_after_utc - _moment(now) <= RENEWED_BEFORE


def days_left(certificate: x509.Certificate, now: float) -> int:
    """Whole days; negative once it has expired."""
    return (certificate.not_valid_after_utc - _moment(now)).days


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, as `openssl x509 -fingerprint -sha256` prints it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def examine(folder: Path, now: float) -> Found:
    """What is there. A key or folder that is open to others is closed to them. Raises CaUnreachable."""
    with _explained(folder):
        repairs = (*_closed(folder, paths.PRIVATE_FOLDER), *_closed(folder / KEY_FILE, paths.PRIVATE_FILE))
        return replace(_judged(folder, now), repairs=repairs)


def kept(folder: Path, now: float) -> list[tuple[Path, x509.Certificate]]:
    """The certificates that were replaced before their end, so that somebody may still trust them, with their files."""
    with _explained(folder):
        found = [(file, _certificate_in(file)) for file in sorted(folder.glob("old-*.pem"))]
    return [(file, old) for file, old in found if old is not None and _moment(now) <= old.not_valid_after_utc]


def constraints(certificate: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What it can vouch for and what it cannot; nothing in the first one means anything."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return (), ()
    permitted, excluded = found.permitted_subtrees or [], found.excluded_subtrees or []
    return tuple(str(name.value) for name in permitted), tuple(str(name.value) for name in excluded)


def _judged(folder: Path, now: float) -> Found:
    key_file, copy_file = folder / KEY_FILE, folder / CERTIFICATE_FILE
    if not key_file.exists():
        if not copy_file.exists():
            return Found(condition=Condition.MISSING, trouble=str(CaMissing(folder)))
        trouble = f"{key_file} is gone: there is a certificate and no key to sign with. {REPLACE}."
        return Found(condition=Condition.DAMAGED, certificate=_certificate_in(copy_file), trouble=trouble)
    raw = key_file.read_bytes()
    try:
        key = serialization.load_pem_private_key(raw, None).public_key()
        certificate = x509.load_pem_x509_certificates(raw)[0]
        belongs = _spki(key) == _spki(certificate.public_key())
        narrow = _is_narrow(certificate)
    except _UNREADABLE:
        trouble = f"{key_file} is damaged: it is to hold a key without a passphrase and its certificate. {REPLACE}."
        return Found(condition=Condition.DAMAGED, certificate=_certificate_in(copy_file), trouble=trouble)
    condition, trouble = Condition.USABLE, ""
    if not belongs:
        condition, trouble = Condition.DAMAGED, f"{key_file} holds a key that is not its certificate's. {REPLACE}."
    elif not narrow:
        condition = Condition.UNCONSTRAINED
        trouble = (
            f"{key_file} is not a CA of codex-rotate: it could vouch for other hosts than {' and '.join(DOMAINS)}. "
            f"{REPLACE}; its key is then gone."
        )
    elif _moment(now) > certificate.not_valid_after_utc:
        condition = Condition.EXPIRED
        trouble = f"{key_file} expired on {certificate.not_valid_after_utc:%Y-%m-%d}. Run `codex-rotate ca renew`."
    elif _moment(now) < certificate.not_valid_before_utc:
        condition = Condition.NOT_YET_VALID
        trouble = (
            f"{key_file} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}: this machine's clock is "
            f"or was wrong. Correct it. {REPLACE}, if the clock is right now."
        )
    elif _certificate_in(copy_file) != certificate:
        condition = Condition.COPY_DIFFERS
        state = "is not the certificate that the proxy signs with" if copy_file.exists() else "is gone"
        trouble = f"{copy_file} {state}. Run `codex-rotate ca renew` to write it again from {KEY_FILE}."
    return Found(condition=condition, certificate=certificate, trouble=trouble)


def _is_narrow(certificate: x509.Certificate) -> bool:
    """Whether TLS libraries would refuse everything from it but hosts of ours."""
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
        and set(names) <= set(DOMAINS)
        and addresses >= set(NO_ADDRESS)
    )


def _certificate_in(file: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (FileNotFoundError, *_UNREADABLE):
        return None


def _spki(key: object) -> bytes:
    if not hasattr(key, "public_bytes"):
        raise TypeError(type(key).__name__)
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _closed(path: Path, mode: int) -> tuple[str, ...]:
    """Close it to everybody but its owner; one sentence if that was needed."""
    if os.name != "posix" or not path.exists():
        return ()
    found = stat.S_IMODE(path.stat().st_mode)
    if not found & 0o077:
        return ()
    path.chmod(mode)
    advice = ""
    if path.name == KEY_FILE:
        advice = " If somebody else may have read the key, run `codex-rotate ca renew --force`."
    return (f"{path} was open to others ({found:04o}) and is now its owner's only ({mode:04o}).{advice}",)


# --- making ----------------------------------------------------------------------------------------------------------


def create(folder: Path, now: float) -> Done:
    """Make one where there is none. Raises CaThere, CaUnreachable or CaBusy."""
    with _alone_in(folder):
        found = examine(folder, now)
        if found.condition is Condition.MISSING:
            return _new(folder, now, Action.CREATED)
    if found.certificate is None:
        raise CaThere(folder, "a damaged CA", found.trouble)
    name, end = common_name(found.certificate), found.certificate.not_valid_after_utc
    remedy = found.trouble or "Use it as it is, or run `codex-rotate ca renew --force` for a new one."
    raise CaThere(folder, f"{name} (valid until {end:%Y-%m-%d})", remedy)


def renew(folder: Path, now: float, *, force: bool = False) -> Done:
    """Replace it by a new one, with a new key, when that is due. `force` does so at any time and whatever is wrong.

    Raises CaMissing, CaUnfit, CaUnreachable or CaBusy.
    """
    with _alone_in(folder):
        return _renewed(folder, examine(folder, now), now, force=force)


def ensure(folder: Path, now: float) -> Done:
    """Leave a usable one: made when there is none, renewed when due. For whatever starts a proxy.

    Raises CaUnfit where only a person can decide, CaUnreachable or CaBusy.
    """
    found = examine(folder, now)
    if found.condition is Condition.USABLE and found.certificate is not None and not due(found.certificate, now):
        return Done(action=Action.NOTHING, folder=folder, certificate=found.certificate, repairs=found.repairs)
    with _alone_in(folder):  # and look again: another process may have been quicker
        again = examine(folder, now)
        again = replace(again, repairs=found.repairs + again.repairs)
        if again.condition is Condition.MISSING:
            return replace(_new(folder, now, Action.CREATED), repairs=again.repairs)
        return _renewed(folder, again, now, force=False)


def _renewed(folder: Path, found: Found, now: float, *, force: bool) -> Done:
    if found.condition is Condition.MISSING:
        raise CaMissing(folder)
    certificate = found.certificate
    known = {Condition.USABLE, Condition.COPY_DIFFERS, Condition.EXPIRED}
    if not force and (certificate is None or found.condition not in known):
        raise CaUnfit(found.trouble)
    if force or certificate is None or due(certificate, now):
        old = _keep(folder, certificate) if certificate is not None else None
        return replace(_new(folder, now, Action.RENEWED), old=old, repairs=found.repairs)
    if found.condition is not Condition.COPY_DIFFERS:
        return Done(action=Action.NOTHING, folder=folder, certificate=certificate, repairs=found.repairs)
    with _explained(folder):
        old = _publish(folder, certificate)
    return Done(action=Action.MENDED, folder=folder, certificate=certificate, old=old, repairs=found.repairs)


def _new(folder: Path, now: float, action: Action) -> Done:
    """A new key and certificate on the disk. A crash between the two files leaves what `renew` and `ensure` mend."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(key, now)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with _explained(folder):
        write_private(folder / KEY_FILE, secret + _pem(certificate))
        _publish(folder, certificate)
    return Done(action=action, folder=folder, certificate=certificate)


def _signed(key: ec.EllipticCurvePrivateKey, now: float) -> x509.Certificate:
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    # Unlike the host's name it is unique, also among the CAs of one machine, and tells nobody anything.
    common = x509.NameAttribute(NameOID.COMMON_NAME, f"codex-rotate CA {identifier.digest.hex()[:12]}")
    name = x509.Name([common, x509.NameAttribute(NameOID.ORGANIZATION_NAME, "codex-rotate")])
    usage = {"key_cert_sign", "crl_sign"}
    others = {"digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"}
    flags = {flag: flag in usage for flag in usage | others | {"encipher_only", "decipher_only"}}
    constraints = x509.NameConstraints(
        permitted_subtrees=[x509.DNSName(domain) for domain in DOMAINS],
        excluded_subtrees=[x509.IPAddress(network) for network in NO_ADDRESS],
    )
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .subject_name(name)
        .issuer_name(name)
        .not_valid_before(_moment(now) - BACKDATED)
        .not_valid_after(_moment(now) + LIFETIME)
        .public_key(public)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**flags), critical=True)
        .add_extension(constraints, critical=True)
        # Names of other kinds, as in mail and code signing, are not constrained: so it is for TLS servers only.
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def common_name(certificate: x509.Certificate) -> str:
    """The short name for people; the whole subject where there is none."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else certificate.subject.rfc4514_string()


# --- files -----------------------------------------------------------------------------------------------------------


def _publish(folder: Path, certificate: x509.Certificate) -> Path | None:
    """Write the copy that clients trust. Where the one is that it replaces, if that was another certificate."""
    file = folder / CERTIFICATE_FILE
    before = _certificate_in(file)
    old = _keep(folder, before) if before is not None and before != certificate else None
    write_private(file, _pem(certificate))
    return old


def _keep(folder: Path, certificate: x509.Certificate) -> Path:
    """Put an old certificate, never its key, under a name of its own."""
    file = folder / f"old-{certificate.fingerprint(hashes.SHA256()).hex()[:16]}.pem"
    with _explained(folder):
        write_private(file, _pem(certificate))
    return file


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _moment(now: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(now), tz=dt.UTC)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Two proxies that start at once, and a person at the keyboard, must not make two authorities."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=LOCK_SECONDS, mode=paths.PRIVATE_FILE)
    with _explained(folder):
        paths.make_private_folder(folder)
        try:
            lock.acquire()
        except Timeout:
            raise CaBusy(folder) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise CaUnreachable(Path(e.filename) if isinstance(e.filename, str) else folder, e.strerror or str(e)) from e
