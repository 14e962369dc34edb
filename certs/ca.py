"""The proxy's certificate authority: made and renewed in the folder that mitmproxy gets as its confdir.

It can vouch for the provider's hosts and for nothing else: whoever steals its key cannot pretend to be a bank or a mail
server to those who trust it. TLS libraries hold it to that by its name constraints.

Two of the files that mitmproxy would make are here: `mitmproxy-ca.pem`, the only place of the key, and
`mitmproxy-ca-cert.pem`, a copy of the certificate. The first one decides; all others can be made from it at any time.
The PKCS #12 files are left out, because one of them would be another copy of the key.

A proxy keeps the key that it was started with. So clients trust more than one certificate for a while: `trusted.pem`,
and the bundles where there are any, hold the present one and those it replaced, until they expire.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from cryptography import x509

from certs import bundles
from certs.certificate import (
    DOMAINS,
    NO_ADDRESS,
    OURS,
    certificate_in,
    common_name,
    constraints,
    days_left,
    due,
    fingerprint,
    new,
    pem,
)
from certs.errors import CaMissing, CaThere, CaUnfit
from certs.examining import CertificateCondition, Examined, examine, kept, trusted
from certs.folder import CERTIFICATE_FILE, DISTRUSTED, KEY_FILE, OLD, TRUSTED_FILE, alone_in, explained
from config.files import write_private

__all__ = [
    "CERTIFICATE_FILE",
    "DOMAINS",
    "KEY_FILE",
    "NO_ADDRESS",
    "TRUSTED_FILE",
    "CaAction",
    "CaChange",
    "CertificateCondition",
    "Examined",
    "common_name",
    "constraints",
    "create",
    "days_left",
    "due",
    "ensure",
    "examine",
    "fingerprint",
    "kept",
    "renew",
]
"""All that the command line needs of the authority."""


class CaAction(StrEnum):
    NOTHING = "nothing"
    CREATED = "created"
    RENEWED = "renewed"
    MENDED = "mended"
    """What clients trust was written again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaChange:
    """What was done. `old` is where the certificate is that was replaced, if there was a readable one."""

    action: CaAction
    folder: Path
    certificate: x509.Certificate
    old: Path | None = None
    overlap: bool = False
    """Whether clients trust the old one as well, so that proxies that run can go on."""
    repairs: tuple[str, ...] = ()

    @property
    def certificate_file(self) -> Path:
        """The certificate alone."""
        return self.folder / CERTIFICATE_FILE

    @property
    def trusted_file(self) -> Path:
        """What clients have to trust, as in CODEX_CA_CERTIFICATE: this certificate and those it replaced."""
        return self.folder / TRUSTED_FILE


def create(folder: Path, now: float) -> CaChange:
    """Make one where there is none. Raises CaThere, CaUnreachable or CaBusy."""
    with alone_in(folder):
        found = examine(folder, now)
        if found.condition is CertificateCondition.MISSING:
            return _new(folder, now, CaAction.CREATED)
    if found.certificate is None:
        raise CaThere(folder, "a damaged CA", found.trouble)
    name, end = common_name(found.certificate), found.certificate.not_valid_after_utc
    remedy = found.trouble or "Use it as it is, or run `codex-rotate ca renew --force` for a new one."
    raise CaThere(folder, f"{name} (valid until {end:%Y-%m-%d})", remedy)


def renew(folder: Path, now: float, *, force: bool = False, leaked: bool = False) -> CaChange:
    """Replace it by a new one, with a new key, when that is due. `force` does so at any time and whatever is wrong.

    The old one stays trusted until it expires, because proxies that run still sign with it. `leaked` does the same as
    `force`, and nothing but the new one is trusted. Raises CaMissing, CaUnfit, CaUnreachable or CaBusy.
    """
    with alone_in(folder):
        found = examine(folder, now)
        if leaked and found.condition is not CertificateCondition.MISSING:
            return _replaced(folder, found, now, DISTRUSTED)
        return _renewed(folder, found, now, force=force)


def ensure(folder: Path, now: float) -> CaChange:
    """Leave a usable one: made when there is none, renewed when due. For whatever starts a proxy.

    Old ones that have expired are trusted no longer. Raises CaUnfit where only a person can decide, CaUnreachable or
    CaBusy, and what certs/bundles.py raises.
    """
    found = examine(folder, now)
    if (
        found.condition is CertificateCondition.USABLE
        and found.certificate is not None
        and not due(found.certificate, now)
        and _is_public(folder, found.certificate, now)
    ):
        return CaChange(action=CaAction.NOTHING, folder=folder, certificate=found.certificate, repairs=found.repairs)
    with alone_in(folder):  # and look again: another process may have been quicker
        again = examine(folder, now)
        again = replace(again, repairs=found.repairs + again.repairs)
        if again.condition is CertificateCondition.MISSING:
            return replace(_new(folder, now, CaAction.CREATED), repairs=again.repairs)
        return _renewed(folder, again, now, force=False)


def _renewed(folder: Path, found: Examined, now: float, *, force: bool) -> CaChange:
    if found.condition is CertificateCondition.MISSING:
        raise CaMissing(folder)
    certificate = found.certificate
    known = {CertificateCondition.USABLE, CertificateCondition.COPY_DIFFERS, CertificateCondition.EXPIRED}
    if not force and (certificate is None or found.condition not in known):
        raise CaUnfit(found.trouble)
    if force or certificate is None or due(certificate, now):
        return _replaced(folder, found, now, OLD)
    action, old = CaAction.NOTHING, None
    if found.condition is CertificateCondition.COPY_DIFFERS:
        action, old = CaAction.MENDED, _keep_what_the_copy_was(folder, certificate)
    _publish(folder, certificate, now)
    return CaChange(action=action, folder=folder, certificate=certificate, old=old, repairs=found.repairs)


def _replaced(folder: Path, found: Examined, now: float, prefix: str) -> CaChange:
    old = None
    if prefix == DISTRUSTED:
        with explained(folder):
            for file in folder.glob(f"{OLD}*.pem"):
                file.replace(file.with_name(DISTRUSTED + file.name.removeprefix(OLD)))
    if found.certificate is not None:
        old = _keep(folder, found.certificate, prefix)
    done = _new(folder, now, CaAction.RENEWED)
    with explained(folder):
        overlap = found.certificate is not None and pem(found.certificate) in done.trusted_file.read_bytes()
    return replace(done, old=old, overlap=overlap, repairs=found.repairs)


# --- files -----------------------------------------------------------------------------------------------------------


def _new(folder: Path, now: float, action: CaAction) -> CaChange:
    """A new key and certificate on the disk, first where clients look: nothing is signed that nobody trusts yet.

    A crash between the files leaves what `renew` and `ensure` mend.
    """
    certificate, secret = new(OURS, now)
    with explained(folder):
        _trust(folder, certificate, now)
        write_private(folder / KEY_FILE, secret)
        write_private(folder / CERTIFICATE_FILE, pem(certificate))
    return CaChange(action=action, folder=folder, certificate=certificate)


def _publish(folder: Path, certificate: x509.Certificate, now: float) -> None:
    """All that is made from the certificate, where it is not there yet as it is to be."""
    with explained(folder):
        _trust(folder, certificate, now)
        _write(folder / CERTIFICATE_FILE, pem(certificate))


def _trust(folder: Path, certificate: x509.Certificate, now: float) -> None:
    content = trusted(folder, certificate, now)
    _write(folder / TRUSTED_FILE, content)
    bundles.refresh(folder, content)


def _is_public(folder: Path, certificate: x509.Certificate, now: float) -> bool:
    """Whether clients trust exactly what they are to trust by now."""
    content = trusted(folder, certificate, now)
    with explained(folder):
        return _holds(folder / TRUSTED_FILE, content) and not bundles.outdated(folder, content)


def _keep_what_the_copy_was(folder: Path, certificate: x509.Certificate) -> Path | None:
    """A renewal that was cut off: the one before is only in the copy."""
    with explained(folder):
        before = certificate_in(folder / CERTIFICATE_FILE)
    return _keep(folder, before, OLD) if before is not None and before != certificate else None


def _keep(folder: Path, certificate: x509.Certificate, prefix: str) -> Path:
    """Put an old certificate, never its key, under a name of its own. One that is distrusted stays so."""
    end = f"{fingerprint(certificate).replace(':', '').lower()[:16]}.pem"
    with explained(folder):
        chosen = DISTRUSTED if (folder / f"{DISTRUSTED}{end}").exists() else prefix
        write_private(folder / f"{chosen}{end}", pem(certificate))
    return folder / f"{chosen}{end}"


def _write(file: Path, content: bytes) -> None:
    if not _holds(file, content):
        write_private(file, content)


def _holds(file: Path, content: bytes) -> bool:
    return file.is_file() and file.read_bytes() == content
