"""What every trust store has in common: three verbs, and the machine that it is on.

`check` says what of ours is there, `install` and `uninstall` change it and nothing else. Everything that a store knows
of its machine, and the programs that it needs run, comes in from outside: nothing here starts a program.
"""

import binascii
import shlex
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.x509.oid import NameOID

from certs.bundles import ORGANIZATION, certificates
from certs.certificate import OURS, UNREADABLE, common_name
from certs.errors import ToolFailed
from certs.folder import CERTIFICATE_FILE

NAMED: Final = f"{OURS.name} "
"""How the common name of every authority of ours begins."""
BY_HAND: Final = (
    f"Add {CERTIFICATE_FILE} to it by hand: it is beside the key that `codex-rotate ca status` names. Codex itself "
    "needs no store: `codex-rotate env` is enough."
)


class StoreKind(StrEnum):
    """Which stores are chosen together."""

    SYSTEM = "system"
    NSS = "nss"


class ProgramEnded(Protocol):
    """A program that was run. `code` is None when it took too long."""

    @property
    def code(self) -> int | None: ...
    @property
    def out(self) -> str: ...
    @property
    def err(self) -> str: ...


type Runner = Callable[[Sequence[str]], ProgramEnded]


def _none() -> Iterable[bytes]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What decides which stores there are, and what may be done with them."""

    system: str
    """As `sys.platform` has it."""
    home: Path
    run: Runner
    find: Callable[[str], str | None]
    """Where a program is; None if it is not installed."""
    release: Mapping[str, str]
    """/etc/os-release; empty where there is none."""
    root: bool = False
    """Whether we may write where only root may."""
    files: Path = Path("/")
    """Where the paths of the system begin."""
    windows_roots: Callable[[], Iterable[bytes]] = _none
    """The ROOT store of Windows as this user sees it: certificates as DER."""


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """A certificate of ours in a store. It may be there without being trusted."""

    certificate: x509.Certificate
    trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreChange:
    """What is to come and go. `file` is where the certificate to add is."""

    add: x509.Certificate | None = None
    file: Path = Path()
    drop: tuple[x509.Certificate, ...] = ()

    def __bool__(self) -> bool:
        return self.add is not None or bool(self.drop)


class TrustStore(Protocol):
    """One place where programs look up whom to trust. Its verbs raise TrustStoreError."""

    @property
    def kind(self) -> StoreKind: ...
    @property
    def name(self) -> str:
        """As a person calls it; a sentence may begin with it."""

    @property
    def place(self) -> Path: ...
    @property
    def elsewhere(self) -> str:
        """What a person can do when the certificate is there, or not, although every command succeeded."""

    def check(self) -> tuple[HeldCertificate, ...]:
        """All of ours that is there."""

    def ready(self, change: StoreChange) -> None:
        """Raise what would hinder this change, before anything is touched: ToolMissing, NeedsRoot."""

    def install(self, certificate: x509.Certificate, file: Path) -> None: ...
    def uninstall(self, certificates: Sequence[x509.Certificate]) -> None: ...


def is_ours(certificate: x509.Certificate) -> bool:
    """Whether it has the name that only our authorities have. Whatever has another one is never touched."""
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return common_name(certificate).startswith(NAMED) and [each.value for each in organizations] == [ORGANIZATION]


def ours_in(pem: bytes) -> list[x509.Certificate]:
    """Our authorities among the certificates of a PEM file. A bundle of roots is not read as a whole for that."""
    found = _ders(certificates(pem)) if b"CERTIFICATE" in pem else ()
    return ours_among(found)


def ours_among(ders: Iterable[bytes]) -> list[x509.Certificate]:
    """Our authorities among these certificates, each once."""
    found: dict[bytes, x509.Certificate] = {}
    for der in ders:
        if NAMED.encode() in der:  # reading them all takes much longer than looking at them
            try:
                certificate = x509.load_der_x509_certificate(der)
                if is_ours(certificate):
                    found[der] = certificate
            except UNREADABLE:
                continue
    return list(found.values())


def _ders(pems: Iterable[bytes]) -> Iterable[bytes]:
    for each in pems:
        try:
            yield ssl.PEM_cert_to_DER_cert(each.decode("ascii"))
        except (ValueError, binascii.Error):
            continue


def run(machine: Machine, argv: Sequence[str], remedy: str = "") -> str:
    """Run a command of a store that has to succeed. What it said on stdout. Raises ToolFailed."""
    ended = machine.run(argv)
    if ended.code != 0:
        raise ToolFailed(shlex.join(argv), ended.code, f"{ended.err}\n{ended.out}", remedy)
    return ended.out
