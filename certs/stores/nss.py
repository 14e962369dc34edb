"""The databases of NSS, in which Firefox and, on Linux, Chromium look beside the system's store.

Every profile has its own. They belong to the user, and are changed with NSS's own certutil.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509

from certs.certificate import common_name
from certs.errors import StoreUnreachable, ToolMissing
from certs.folder import CERTIFICATE_FILE
from certs.stores.base import NAMED, HeldCertificate, Machine, StoreChange, StoreKind, ours_in, run
from certs.stores.linux import get_certutil

TOOL: Final = "certutil"
DATABASE: Final = "cert9.db"
PLACES: Final = {
    "linux": (
        ".pki/nssdb",
        ".local/share/pki/nssdb",
        "snap/*/current/.pki/nssdb",
        ".var/app/*/.pki/nssdb",
        ".var/app/*/data/pki/nssdb",
        ".mozilla/firefox/*",
        ".config/mozilla/firefox/*",
        "snap/firefox/common/.mozilla/firefox/*",
        ".var/app/*/.mozilla/firefox/*",
        ".var/app/*/config/mozilla/firefox/*",
    ),
    "darwin": ("Library/Application Support/Firefox/Profiles/*",),
}
"""Below the home folder: Chromium and its relatives first, then the profiles of Firefox; snap and flatpak included.

On Windows there is nothing to do: Firefox takes over what Windows trusts, and NSS's certutil does not come with it.
"""

_ENTRY: Final = re.compile(r"(?P<name>.+?) +(?P<trust>[A-Za-z]*,[A-Za-z]*,[A-Za-z]*) *")
_TRUSTED: Final = "C,,"
"""For TLS servers, and for nothing else."""


def databases(machine: Machine) -> list["Database"]:
    """Those that are there. None is made: a browser that was never started has none."""
    found = (folder for place in PLACES.get(machine.system, ()) for folder in sorted(machine.home.glob(place)))
    there = dict.fromkeys(folder.resolve() for folder in found if (folder / DATABASE).is_file())
    return [Database(machine, folder) for folder in there]


class Database:
    """One of them."""

    kind: Final = StoreKind.NSS

    def __init__(self, machine: Machine, folder: Path) -> None:
        self._machine = machine
        self.place = folder
        self.name = f"The browser's database in {folder}"
        self.elsewhere = f"Look at it in the browser's settings, or with: {TOOL} -L -d sql:{folder}"
        self._by_hand = (
            f"With a primary password it is changed in the browser's settings only: import or delete "
            f"{CERTIFICATE_FILE} there, which is beside the key that `codex-rotate ca status` names."
        )

    def check(self) -> tuple[HeldCertificate, ...]:
        return tuple(
            HeldCertificate(certificate, trusted="C" in trust.split(",")[0])
            for _, certificate, trust in self._entries()
        )

    def ready(self, change: StoreChange) -> None:
        self._need_tool()

    def install(self, certificate: x509.Certificate, file: Path) -> None:
        name = common_name(certificate)
        run(self._machine, [*self._argv("-A"), "-n", name, "-t", _TRUSTED, "-i", str(file)], self._by_hand)

    def uninstall(self, certificates: Sequence[x509.Certificate]) -> None:
        names = [name for name, certificate, _ in self._entries() if certificate in certificates]
        for name in names:
            run(self._machine, [*self._argv("-D"), "-n", name], self._by_hand)

    def _entries(self) -> Iterator[tuple[str, x509.Certificate, str]]:
        """Ours, with the name it has there, whoever has put it in, and its trust."""
        if not self._mentions_us():
            return
        self._need_tool()
        for line in run(self._machine, self._argv("-L")).splitlines():
            entry = _ENTRY.fullmatch(line)
            if entry is not None:
                text = self._machine.run([*self._argv("-L"), "-n", entry["name"], "-a"]).out
                for certificate in ours_in(text.encode()):
                    yield entry["name"], certificate, entry["trust"]

    def _mentions_us(self) -> bool:
        """Whether our name occurs in the file. It does in everything of ours, and looking needs no program."""
        file = self.place / DATABASE
        try:
            return NAMED.encode() in file.read_bytes()
        except OSError as e:
            raise StoreUnreachable(file, e.strerror or str(e)) from e

    def _need_tool(self) -> None:
        if not self._machine.find(TOOL):
            remedy = "Run: brew install nss" if self._machine.system == "darwin" else get_certutil(self._machine)
            raise ToolMissing(TOOL, self.name, remedy)

    def _argv(self, verb: str) -> list[str]:
        return [self._machine.find(TOOL) or TOOL, verb, "-d", f"sql:{self.place}"]
