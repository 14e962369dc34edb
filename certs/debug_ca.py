"""The authority of `serve --intercept-all`: it can vouch for any host, so it is apart from the other, and short-lived.

The name says in every list what it is. It is never in a trust store and never in a bundle of the other authority; what
it signs is believed only by a client whose environment names its file.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from certs import bundles
from certs.certificate import CertificateKind, certificate_in, common_name, due, moment, new, pair_in, pem
from certs.errors import CaError
from certs.folder import CERTIFICATE_FILE, KEY_FILE, alone_in, closed, explained
from config.files import write_private

KIND: Final = CertificateKind(name="codex-rotate DEBUG CA (any host)", lifetime=dt.timedelta(days=7), narrow=False)
RENEWED_BEFORE: Final = dt.timedelta(days=1)


class NoDebugCa(CaError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"There is no debug CA in {folder} that is valid now. Start `codex-rotate serve --intercept-all`, which "
            "makes one, and run the command again."
        )


@dataclass(frozen=True, slots=True)
class DebugCa:
    certificate: x509.Certificate
    file: Path
    """What a client has to trust."""

    @property
    def name(self) -> str:
        return common_name(self.certificate)

    @property
    def end(self) -> dt.datetime:
        return self.certificate.not_valid_after_utc


def ensure(folder: Path, now: float) -> DebugCa:
    """Leave one with more than a day to go. Whatever else is in its files is replaced: nothing depends on it for long.

    Raises CaUnreachable or CaBusy.
    """
    with alone_in(folder), explained(folder):
        closed(folder)
        certificate = _usable(folder, now)
        if certificate is None or due(certificate, now, RENEWED_BEFORE):
            certificate, secret = new(KIND, now)
            write_private(folder / KEY_FILE, secret)
        if certificate_in(folder / CERTIFICATE_FILE) != certificate:
            write_private(folder / CERTIFICATE_FILE, pem(certificate))
        bundles.refresh(folder, pem(certificate))
    return DebugCa(certificate, folder / CERTIFICATE_FILE)


def require(folder: Path, now: float) -> DebugCa:
    """The one that is there. Raises NoDebugCa or CaUnreachable."""
    with explained(folder):
        certificate = _usable(folder, now)
        if certificate is None or certificate_in(folder / CERTIFICATE_FILE) != certificate:
            raise NoDebugCa(folder)
    return DebugCa(certificate, folder / CERTIFICATE_FILE)


def _usable(folder: Path, now: float) -> x509.Certificate | None:
    try:
        pair = pair_in((folder / KEY_FILE).read_bytes())
    except FileNotFoundError:
        return None
    if pair is None or not pair[1] or not common_name(pair[0]).startswith(KIND.name):
        return None
    valid = pair[0].not_valid_before_utc <= moment(now) <= pair[0].not_valid_after_utc
    return pair[0] if valid else None
