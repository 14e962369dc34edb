"""Which stores there are on which system, and the rules that hold for all of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from certs import ca
from certs.errors import (
    CaUnfit,
    NeedsRoot,
    NoStore,
    NotTrusted,
    StillTrusted,
    StoreUnreachable,
    ToolFailed,
    ToolMissing,
    TrustStoreError,
)
from certs.stores.base import StoreChange, StoreKind
from certs.stores.linux import DISTRIBUTIONS, Anchors
from certs.stores.macos import LoginKeychain
from certs.stores.registry import all_stores, carry_out, nss_stores, system_store, to_install, to_uninstall
from certs.stores.windows import UserRoot
from tests.certs.machines import linux, recorded

DEBIAN = DISTRIBUTIONS[0]


@pytest.mark.parametrize(("system", "store"), [("linux", Anchors), ("darwin", LoginKeychain), ("win32", UserRoot)])
def test_every_system_has_its_store(tmp_path: Path, system: str, store: type) -> None:
    machine = replace(linux(tmp_path, DEBIAN), system=system)
    found = system_store(machine)
    assert isinstance(found, store)
    assert found.kind is StoreKind.SYSTEM
    assert [type(each) for each in all_stores(machine)] == [store]


def test_the_browsers_come_after_the_system(tmp_path: Path) -> None:
    machine = linux(tmp_path, DEBIAN)
    for place in (".pki/nssdb", ".mozilla/firefox/x"):
        (machine.home / place).mkdir(parents=True)
        (machine.home / place / "cert9.db").write_bytes(b"")
    assert [each.kind for each in all_stores(machine)] == [StoreKind.SYSTEM, StoreKind.NSS, StoreKind.NSS]
    assert [each.place.name for each in nss_stores(machine)] == ["nssdb", "x"]


def test_what_a_system_does_not_have_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    """And is simply not there when all are."""
    machine = linux(tmp_path, DEBIAN)
    with pytest.raises(NoStore, match=r"No database of Firefox or Chromium is in .*Start the browser once"):
        nss_stores(machine)
    with pytest.raises(NoStore, match="Use --system: they look there"):
        nss_stores(replace(machine, system="win32"))
    plan9 = replace(machine, system="plan9")
    with pytest.raises(NoStore, match="of plan9 is not one that codex-rotate knows"):
        system_store(plan9)
    assert all_stores(plan9) == []


def test_what_could_vouch_for_any_host_is_never_installed(tmp_path: Path, foreign_ca: x509.Certificate) -> None:
    """Whatever it is called, and whoever asks for it."""
    machine = linux(tmp_path, DEBIAN)
    with pytest.raises(CaUnfit, match=r"could vouch for any host, and such a CA is never installed\."):
        to_install(Anchors(machine), foreign_ca, tmp_path / "ca.pem")
    assert recorded(machine) == []


@pytest.fixture
def foreign_ca(tmp_path: Path, now: float) -> x509.Certificate:
    """One without constraints, as mitmproxy makes it."""
    from mitmproxy.certs import CertStore

    CertStore.create_store(tmp_path / "mitmproxy", "mitmproxy", 2048)
    found = ca.examine(tmp_path / "mitmproxy", now)
    assert found.condition is ca.CertificateCondition.UNCONSTRAINED
    assert found.certificate is not None
    return found.certificate


def test_nothing_to_do_does_nothing(tmp_path: Path) -> None:
    """Not even a look at the rights."""
    machine = linux(tmp_path, DEBIAN, root=False)
    carry_out(Anchors(machine), StoreChange())
    assert not to_uninstall(Anchors(machine))
    assert recorded(machine) == []


def test_an_old_one_that_is_not_there_is_not_removed(tmp_path: Path, folder: Path, now: float) -> None:
    old = ca.create(folder, now).certificate
    done = ca.renew(folder, now, force=True)
    store = Anchors(linux(tmp_path, DEBIAN))
    change = to_install(store, done.certificate, done.certificate_file, [old, done.certificate])
    assert (change.add, change.drop) == (done.certificate, ())


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (NoStore("There is none", "Do this."), "Do this."),
        (ToolMissing("certutil", "The store", "Run: sudo apt install it"), "Run: sudo apt install it"),
        (NeedsRoot("The store", "sudo do it"), "Run: sudo do it"),
        (ToolFailed("tool -x", 1, "no\nnever"), "run the command again."),
        (ToolFailed("tool -x", None, "", "Wait."), "Wait."),
        (StoreUnreachable(Path("there"), "Permission denied"), "run the command again."),
        (NotTrusted("a CA", "the store", "Look there."), "Look there."),
        (StillTrusted("a CA", "the store", "Look there."), "Look there."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, TrustStoreError) else "",
)
def test_every_trouble_is_one_line_that_ends_with_what_to_do(error: TrustStoreError, remedy: str) -> None:
    assert str(error).endswith(remedy)
    assert "\n" not in str(error)
    assert error.exit_code == 1
