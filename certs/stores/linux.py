"""The trust stores of Linux distributions: a folder for additional authorities and a command that reads it.

They differ in names only. What counts is the file that the command makes: programs read that one.
"""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from certs.certificate import common_name, pem
from certs.errors import NeedsRoot, NoStore, StoreUnreachable, ToolMissing
from certs.stores.base import BY_HAND, HeldCertificate, Machine, StoreChange, StoreKind, ours_in, run
from config.files import write_private

READABLE: Final = 0o644
"""An authority is no secret, and every program has to read it."""
MOST_BYTES: Final = 1 << 20
"""More than this in a folder of single certificates is none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A family of distributions that do this in the same way."""

    ids: tuple[str, ...]
    """What ID or ID_LIKE says in /etc/os-release."""
    folder: str
    suffix: str
    update: tuple[str, ...]
    after_removal: tuple[str, ...]
    bundle: str
    """What programs read."""
    get_tool: str
    get_certutil: str


DISTRIBUTIONS: Final = (
    Distribution(
        ids=("debian", "ubuntu"),
        folder="usr/local/share/ca-certificates",
        suffix=".crt",
        update=("update-ca-certificates",),
        after_removal=("update-ca-certificates", "--fresh"),  # without that, dead links stay in /etc/ssl/certs
        bundle="etc/ssl/certs/ca-certificates.crt",
        get_tool="apt install ca-certificates",
        get_certutil="apt install libnss3-tools",
    ),
    Distribution(
        ids=("fedora", "rhel", "centos"),
        folder="etc/pki/ca-trust/source/anchors",
        suffix=".pem",
        update=("update-ca-trust", "extract"),
        after_removal=("update-ca-trust", "extract"),
        bundle="etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        get_tool="dnf install ca-certificates",
        get_certutil="dnf install nss-tools",
    ),
    Distribution(
        ids=("arch",),
        folder="etc/ca-certificates/trust-source/anchors",
        suffix=".crt",
        update=("trust", "extract-compat"),
        after_removal=("trust", "extract-compat"),
        bundle="etc/ca-certificates/extracted/tls-ca-bundle.pem",
        get_tool="pacman -S ca-certificates-utils p11-kit",
        get_certutil="pacman -S nss",
    ),
    Distribution(
        ids=("suse", "opensuse", "sles"),
        folder="etc/pki/trust/anchors",
        suffix=".pem",
        update=("update-ca-certificates",),
        after_removal=("update-ca-certificates",),
        bundle="var/lib/ca-certificates/ca-bundle.pem",
        get_tool="zypper install ca-certificates",
        get_certutil="zypper install mozilla-nss-tools",
    ),
    Distribution(
        ids=("alpine",),
        folder="usr/local/share/ca-certificates",
        suffix=".crt",
        update=("update-ca-certificates",),
        after_removal=("update-ca-certificates",),
        bundle="etc/ssl/certs/ca-certificates.crt",
        get_tool="apk add ca-certificates",
        get_certutil="apk add nss-tools",
    ),
)


def named(release: Mapping[str, str]) -> Distribution | None:
    """The one that /etc/os-release is about, by its own name or by what it is like."""
    for name in (release.get("ID", ""), *release.get("ID_LIKE", "").split()):
        for each in DISTRIBUTIONS:
            if name.lower() in each.ids:
                return each
    return None


def distribution(machine: Machine) -> Distribution:
    """The one whose tool and folder are here; the one that /etc/os-release names comes first. Raises NoStore."""
    first = named(machine.release)
    candidates = [first, *DISTRIBUTIONS] if first else list(DISTRIBUTIONS)
    for each in candidates:
        if machine.find(each.update[0]) and (machine.files / each.folder).is_dir():
            return each
    if first is None:
        raise NoStore("The trust store of this Linux is not one that codex-rotate knows", BY_HAND)
    return first


class Anchors:
    """The store of the whole system."""

    kind: Final = StoreKind.SYSTEM

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._is = distribution(machine)
        self.place = machine.files / self._is.folder
        self.name = f"The trust store of {machine.release.get('NAME', 'this system')}"
        bundle = machine.files / self._is.bundle
        self._bundle = bundle
        self.elsewhere = f"Look for it in {self.place}, in {bundle} and among what this system distrusts."

    def check(self) -> tuple[HeldCertificate, ...]:
        """What the command has made counts; a file that it has not read yet is there and not trusted."""
        with _explained(self._bundle):
            trusted = ours_in(self._bundle.read_bytes() if self._bundle.is_file() else b"")
        waiting = {each: None for _, each in self._files() if each not in trusted}
        return (
            *(HeldCertificate(each, trusted=True) for each in trusted),
            *(HeldCertificate(each, trusted=False) for each in waiting),
        )

    def ready(self, change: StoreChange) -> None:
        tool = self._is.update[0]
        if not self._machine.find(tool):
            raise ToolMissing(tool, self.name, f"Run: sudo {self._is.get_tool}")
        if not self._machine.root:
            raise NeedsRoot(self.name, self._by_hand(change))

    def install(self, certificate: x509.Certificate, file: Path) -> None:
        target = self._target(certificate)
        with _explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_private(target, pem(certificate), _open)
        run(self._machine, self._is.update)

    def uninstall(self, certificates: Sequence[x509.Certificate]) -> None:
        for file, found in self._files():
            if found in certificates:
                with _explained(file):
                    file.unlink()
        run(self._machine, self._is.after_removal)

    def _target(self, certificate: x509.Certificate) -> Path:
        return self.place / (common_name(certificate).replace(" ", "-") + self._is.suffix)

    def _by_hand(self, change: StoreChange) -> str:
        """The same in the words of a shell. It needs nothing of ours, so that none of our code gets root's rights."""
        steps = []
        if change.add is not None:
            steps.append(["install", "-D", "-m", f"{READABLE:04o}", str(change.file), str(self._target(change.add))])
        gone = [str(file) for file, found in self._files() if found in change.drop]
        if gone:
            steps.append(["rm", "-f", *gone])
        steps.append(list(self._is.after_removal if change.drop else self._is.update))
        return " && ".join(f"sudo {shlex.join(step)}" for step in steps)

    def _files(self) -> Iterator[tuple[Path, x509.Certificate]]:
        """The files that hold one of ours and nothing else."""
        for folder, _, names in os.walk(self.place):
            for file in (Path(folder, name) for name in sorted(names)):
                content = _read(file)
                found = ours_in(content)
                if len(found) == 1 and content.count(b"-----BEGIN") == 1:
                    yield file, found[0]


def get_certutil(machine: Machine) -> str:
    """How NSS's certutil is installed here."""
    found = named(machine.release)
    return f"Run: sudo {found.get_certutil}" if found else "Install NSS's certutil: libnss3-tools, nss-tools or nss."


def _read(file: Path) -> bytes:
    """The content of an ordinary file; nothing of what others may have put there, or closed to us."""
    try:
        return file.read_bytes() if file.is_file() and file.stat().st_size <= MOST_BYTES else b""
    except OSError:
        return b""


def _open(written: Path) -> None:
    written.chmod(READABLE)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise StoreUnreachable(path, e.strerror or str(e)) from e
