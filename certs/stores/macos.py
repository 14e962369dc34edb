"""The login keychain of macOS.

It is the user's own: no root, and nobody else on the machine trusts what is in it, while every program of the user
does. The keychain of the system would need an administrator's password at the screen, also from root, and gain nothing
here. The trust is for TLS servers only. What somebody has put into the system's keychain by hand is not looked at.
"""

import plistlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.parsers.expat import ExpatError

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs.errors import ToolFailed, ToolMissing
from certs.stores.base import NAMED, HeldCertificate, Machine, StoreChange, StoreKind, ours_in, run

TOOL: Final = "/usr/bin/security"
NOT_FOUND: Final = 44
"""The exit code of `security` when nothing has that name."""
TLS: Final = "sslServer"
TRUST_ROOT: Final = 1
"""kSecTrustSettingsResultTrustRoot; also what a setting without a result means."""


class LoginKeychain:
    """The user's keychain and the user's trust settings."""

    kind: Final = StoreKind.SYSTEM
    name: Final = "The login keychain"
    elsewhere: Final = "Look for it in Keychain Access, in the keychains login and System."

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.place = machine.home / "Library" / "Keychains" / "login.keychain-db"

    def check(self) -> tuple[HeldCertificate, ...]:
        argv = [TOOL, "find-certificate", "-a", "-c", NAMED.strip(), "-p", str(self.place)]
        ended = self._machine.run(argv)
        if ended.code == NOT_FOUND:
            return ()
        if ended.code != 0:
            raise ToolFailed(" ".join(argv), ended.code, ended.err)
        found = ours_in(ended.out.encode())
        trusted = self._trusted() if found else frozenset[str]()
        return tuple(HeldCertificate(each, _sha1(each) in trusted) for each in found)

    def ready(self, change: StoreChange) -> None:
        """The right to do it is for macOS to ask for: it wants the person's password at the screen."""
        if not self._machine.find(TOOL):
            raise ToolMissing(TOOL, self.name, "It is a part of macOS: look why it is not there.")

    def install(self, certificate: x509.Certificate, file: Path) -> None:
        run(
            self._machine,
            [TOOL, "add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-k", str(self.place), str(file)],
        )

    def uninstall(self, certificates: Sequence[x509.Certificate]) -> None:
        for each in certificates:  # by SHA-1, because older releases know no other
            run(self._machine, [TOOL, "delete-certificate", "-Z", _sha1(each), "-t", str(self.place)])

    def _trusted(self) -> frozenset[str]:
        """The SHA-1 of what this user trusts for TLS. `security` gives it as a file only, and fails if it is empty."""
        with tempfile.TemporaryDirectory(prefix="codex-rotate-") as folder:
            file = Path(folder) / "trust.plist"
            self._machine.run([TOOL, "trust-settings-export", str(file)])
            try:
                settings = plistlib.loads(file.read_bytes())["trustList"]
            except (OSError, plistlib.InvalidFileException, ExpatError, ValueError, KeyError):
                return frozenset()
        return frozenset(key.upper() for key, value in settings.items() if _means_trust(value))


def _means_trust(entry: dict[str, object]) -> bool:
    """An entry without settings trusts for everything."""
    settings = entry.get("trustSettings")
    if not isinstance(settings, list) or not settings:
        return True
    for_tls = [each for each in settings if each.get("kSecTrustSettingsPolicyName", TLS) == TLS]
    return any(each.get("kSecTrustSettingsResult", TRUST_ROOT) == TRUST_ROOT for each in for_tls)


def _sha1(certificate: x509.Certificate) -> str:
    """How macOS and Windows name a certificate. What it is was decided by its whole content before."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303
