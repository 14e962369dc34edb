"""What is in the folder of the CA: whether it can be used and, if not, which file is wrong and what to do."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography import x509

from certs.certificate import DOMAINS, UNREADABLE, certificate_in, is_narrow, moment, pair_in, pem
from certs.errors import CaMissing
from certs.folder import CERTIFICATE_FILE, DISTRUSTED, KEY_FILE, OLD, TRUSTED_FILE, closed, explained
from config import access

REPLACE: Final = "Run `codex-rotate ca renew --force` to replace it with a new one"


class CertificateCondition(StrEnum):
    USABLE = "usable"
    MISSING = "missing"
    DAMAGED = "damaged"
    """A file is gone or unreadable, or the key is not the certificate's."""
    UNCONSTRAINED = "unconstrained"
    """It could vouch for more than the provider's hosts: not one of ours."""
    COPY_DIFFERS = "copy_differs"
    """A certificate that clients trust is gone or is not the one that the proxy signs with."""
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What is in the folder. `trouble` says which file is wrong and what to do, `repairs` which modes were."""

    condition: CertificateCondition
    certificate: x509.Certificate | None = None
    trouble: str = ""
    repairs: tuple[str, ...] = ()


def examine(folder: Path, now: float) -> Examined:
    """What is there. A key or folder that is open to others is closed to them. Raises CaUnreachable."""
    with explained(folder):
        repairs = closed(folder)
        return replace(_judged(folder, now), repairs=repairs)


def kept(folder: Path, now: float) -> list[tuple[Path, x509.Certificate]]:
    """The certificates that were replaced before their end, so that somebody may still trust them, with their files."""
    with explained(folder):
        return [*_unexpired(folder, OLD, now), *_unexpired(folder, DISTRUSTED, now)]


def trusted(folder: Path, certificate: x509.Certificate, now: float) -> bytes:
    """What clients are to trust, as PEM: this one first, then those that running proxies may still sign with.

    One that could vouch for other hosts, or whose key may have leaked, is left out. Raises CaUnreachable.
    """
    with explained(folder):
        old = [each for _, each in _unexpired(folder, OLD, now) if each != certificate and _surely_narrow(each)]
    return pem(certificate, *old)


def _unexpired(folder: Path, prefix: str, now: float) -> Iterator[tuple[Path, x509.Certificate]]:
    for file in sorted(folder.glob(f"{prefix}*.pem")):
        old = certificate_in(file)
        if old is not None and moment(now) <= old.not_valid_after_utc:
            yield file, old


def _surely_narrow(certificate: x509.Certificate) -> bool:
    try:
        return is_narrow(certificate)
    except UNREADABLE:
        return False


def _judged(folder: Path, now: float) -> Examined:
    key_file, copy_file = folder / KEY_FILE, folder / CERTIFICATE_FILE
    if not access.there(key_file):
        if not access.there(copy_file):
            return Examined(condition=CertificateCondition.MISSING, trouble=str(CaMissing(folder)))
        trouble = f"{key_file} is gone: there is a certificate and no key to sign with. {REPLACE}."
        return Examined(condition=CertificateCondition.DAMAGED, certificate=certificate_in(copy_file), trouble=trouble)
    pair = pair_in(key_file.read_bytes())
    try:
        narrow = pair is not None and is_narrow(pair[0])
    except UNREADABLE:
        pair = None
    if pair is None:
        trouble = f"{key_file} is damaged: it is to hold a key without a passphrase and its certificate. {REPLACE}."
        return Examined(condition=CertificateCondition.DAMAGED, certificate=certificate_in(copy_file), trouble=trouble)
    certificate, belongs = pair
    condition, trouble = CertificateCondition.USABLE, ""
    if not belongs:
        condition, trouble = (
            CertificateCondition.DAMAGED,
            f"{key_file} holds a key that is not its certificate's. {REPLACE}.",
        )
    elif not narrow:
        condition = CertificateCondition.UNCONSTRAINED
        trouble = (
            f"{key_file} is not a CA of codex-rotate: it could vouch for other hosts than {' and '.join(DOMAINS)}. "
            f"{REPLACE}; its key is then gone."
        )
    elif moment(now) > certificate.not_valid_after_utc:
        condition = CertificateCondition.EXPIRED
        trouble = f"{key_file} expired on {certificate.not_valid_after_utc:%Y-%m-%d}. Run `codex-rotate ca renew`."
    elif moment(now) < certificate.not_valid_before_utc:
        condition = CertificateCondition.NOT_YET_VALID
        trouble = (
            f"{key_file} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}: this machine's clock is "
            f"or was wrong. Correct it. {REPLACE}, if the clock is right now."
        )
    elif differs := _copies_that_differ(folder, certificate):
        condition, trouble = CertificateCondition.COPY_DIFFERS, differs
    return Examined(condition=condition, certificate=certificate, trouble=trouble)


def _copies_that_differ(folder: Path, certificate: x509.Certificate) -> str:
    """A file for clients without the certificate that the proxy signs with, as a sentence; nothing if all have it.

    Without a file of those to trust the copy stands for it: nothing was replaced yet, or an older version made it.
    """
    for file in (folder / CERTIFICATE_FILE, folder / TRUSTED_FILE):
        gone = not access.there(file)
        if certificate_in(file) != certificate and not (gone and file.name == TRUSTED_FILE):
            state = "is gone" if gone else "does not begin with the certificate that the proxy signs with"
            return f"{file} {state}. Run `codex-rotate ca renew` to write it again from {KEY_FILE}."
    return ""
