"""The trust stores of this machine, and how a certificate of ours gets in and out of any of them.

Codex needs none of this: it is told what to trust by its environment. It is for other programs that are to go through
the proxy and look at the system's store, or at the browser's, only.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography import x509

from certs.certificate import common_name, fingerprint, is_narrow
from certs.errors import CaUnfit, NoStore, NotTrusted, StillTrusted, TrustStoreError
from certs.stores.base import BY_HAND, Machine, StoreChange, TrustStore
from certs.stores.linux import Anchors
from certs.stores.macos import LoginKeychain
from certs.stores.nss import databases
from certs.stores.windows import UserRoot

SYSTEM_STORES: Final[Mapping[str, Callable[[Machine], TrustStore]]] = {
    "linux": Anchors,
    "darwin": LoginKeychain,
    "win32": UserRoot,
}


def system_store(machine: Machine) -> TrustStore:
    """The one that most programs look at. Raises NoStore."""
    if machine.system not in SYSTEM_STORES:
        raise NoStore(f"The trust store of {machine.system} is not one that codex-rotate knows", BY_HAND)
    return SYSTEM_STORES[machine.system](machine)


def nss_stores(machine: Machine) -> list[TrustStore]:
    """The databases of this user's browsers. Raises NoStore where there is none."""
    found: list[TrustStore] = [*databases(machine)]
    if not found and machine.system == "win32":
        raise NoStore("Browsers on Windows have no store of their own to install in", "Use --system: they look there.")
    if not found:
        raise NoStore(
            f"No database of Firefox or Chromium is in {machine.home}",
            "Start the browser once, which makes one, and run the command again.",
        )
    return found


def all_stores(machine: Machine) -> list[TrustStore]:
    """Every store there is; what this system does not have is left out."""
    found: list[TrustStore] = []
    with suppress(NoStore):
        found.append(system_store(machine))
    return [*found, *databases(machine)]


def to_install(
    store: TrustStore, certificate: x509.Certificate, file: Path, old: Iterable[x509.Certificate] = ()
) -> StoreChange:
    """What is left to do so that this one is trusted and the old ones are not. Raises CaUnfit, TrustStoreError."""
    if not is_narrow(certificate):
        raise CaUnfit(
            f"{common_name(certificate)} could vouch for any host, and such a CA is never installed. Use the one that "
            "`codex-rotate ca create` makes."
        )
    held = {fingerprint(each.certificate): each.trusted for each in store.check()}
    drop = tuple(each for each in old if fingerprint(each) in held and each != certificate)
    return StoreChange(add=None if held.get(fingerprint(certificate)) else certificate, file=file, drop=drop)


def to_uninstall(store: TrustStore) -> StoreChange:
    """Everything of ours, the authorities that were replaced long ago included."""
    return StoreChange(drop=tuple(each.certificate for each in store.check()))


def carry_out(store: TrustStore, change: StoreChange) -> None:
    """Do it and look whether it is done. What could not be trusted is taken back out. Raises TrustStoreError."""
    if not change:
        return
    store.ready(change)
    if change.add is not None:
        _install(store, change.add, change.file)
    if change.drop:
        store.uninstall(change.drop)
        gone = {fingerprint(each) for each in change.drop}
        left = [each.certificate for each in store.check() if fingerprint(each.certificate) in gone]
        if left:
            raise StillTrusted(", ".join(common_name(each) for each in left), _inside(store), store.elsewhere)


def _install(store: TrustStore, certificate: x509.Certificate, file: Path) -> None:
    before = _trust_in(store, certificate)
    try:
        store.install(certificate, file)
        if not _trust_in(store, certificate):
            raise NotTrusted(common_name(certificate), _inside(store), store.elsewhere)
    except TrustStoreError:
        with suppress(TrustStoreError):  # half of it may be there, and would come alive with the system's next update
            if before is None and _trust_in(store, certificate) is not None:
                store.uninstall((certificate,))
        raise


def _trust_in(store: TrustStore, certificate: x509.Certificate) -> bool | None:
    """Whether it is trusted there; None if it is not even there."""
    wanted = fingerprint(certificate)
    return next((each.trusted for each in store.check() if fingerprint(each.certificate) == wanted), None)


def _inside(store: TrustStore) -> str:
    return store.name[:1].lower() + store.name[1:]
