"""The user's ROOT store of Windows: no administrator is needed, and only this user's programs trust what is in it.

Windows asks the person at the screen before it takes an authority in.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs.errors import ToolMissing
from certs.stores.base import HeldCertificate, Machine, StoreChange, StoreKind, ours_among, run

TOOL: Final = "certutil.exe"


class UserRoot:
    """What `certutil -user` calls ROOT."""

    kind: Final = StoreKind.SYSTEM
    name: Final = "The ROOT store of this Windows user"
    place: Final = Path("ROOT")
    elsewhere: Final = (
        "Look for it with certmgr.msc; what is in the store of the whole machine is removed by an administrator with "
        "certlm.msc."
    )

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._tool = machine.find(TOOL) or TOOL

    def check(self) -> tuple[HeldCertificate, ...]:
        """Read through Python itself: what certutil prints is in the user's language."""
        return tuple(HeldCertificate(each, trusted=True) for each in ours_among(self._machine.windows_roots()))

    def ready(self, change: StoreChange) -> None:
        """The right to do it is for Windows to ask for."""
        if not self._machine.find(TOOL):
            raise ToolMissing(TOOL, self.name, "It is a part of Windows: put its System32 folder into PATH.")

    def install(self, certificate: x509.Certificate, file: Path) -> None:
        run(self._machine, [self._tool, "-user", "-addstore", "ROOT", str(file)])

    def uninstall(self, certificates: Sequence[x509.Certificate]) -> None:
        for each in certificates:
            thumbprint = each.fingerprint(hashes.SHA1()).hex()  # noqa: S303
            run(self._machine, [self._tool, "-user", "-delstore", "ROOT", thumbprint])
