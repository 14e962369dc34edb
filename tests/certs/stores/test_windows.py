"""The user's ROOT store of Windows: the exact commands, and Python's own view of what is in it."""

import ssl
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from certs import ca
from certs.errors import NotTrusted, StillTrusted, ToolFailed, ToolMissing
from certs.stores.base import HeldCertificate, Machine
from certs.stores.registry import carry_out, to_install, to_uninstall
from certs.stores.windows import UserRoot
from tests.certs.machines import Ended, Recorder, fails, recorded


class Windows:
    """Plays certutil and the store that it changes."""

    def __init__(self) -> None:
        self.user: list[bytes] = []
        self.machine: list[bytes] = [b"\x30\x82 a root of Microsoft"]

    def roots(self) -> Iterable[bytes]:
        return [*self.machine, *self.user]

    def __call__(self, argv: Sequence[str]) -> Ended:
        if "-addstore" in argv:
            self.user.append(der(x509.load_pem_x509_certificate(Path(argv[-1]).read_bytes())))
        else:
            assert "-delstore" in argv
            self.user = [each for each in self.user if thumbprint(x509.load_der_x509_certificate(each)) != argv[-1]]
        return Ended(out="CertUtil: -addstore command completed successfully.")


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def thumbprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA1()).hex()


@pytest.fixture
def made(folder: Path, now: float) -> ca.CaChange:
    return ca.create(folder, now)


def computer(tmp_path: Path, windows: Windows, **plays: object) -> Machine:
    run = Recorder({"certutil.exe": windows, **plays})  # type: ignore[dict-item]
    return Machine(
        system="win32", home=tmp_path, run=run, find=lambda name: name, release={}, windows_roots=windows.roots
    )


def test_in_and_out_again(tmp_path: Path, made: ca.CaChange) -> None:
    """Always with -user: no administrator is needed, and other users do not trust it."""
    windows = Windows()
    machine = computer(tmp_path, windows)
    store = UserRoot(machine)
    assert store.check() == ()
    carry_out(store, to_install(store, made.certificate, made.certificate_file))
    assert store.check() == (HeldCertificate(made.certificate, trusted=True),)
    assert not to_install(store, made.certificate, made.certificate_file)
    carry_out(store, to_uninstall(store))
    assert store.check() == ()
    assert recorded(machine) == [
        ["certutil.exe", "-user", "-addstore", "ROOT", str(made.certificate_file)],
        ["certutil.exe", "-user", "-delstore", "ROOT", thumbprint(made.certificate)],
    ]
    assert len(windows.machine) == 1


def test_a_renewed_one_takes_the_place_of_the_old(tmp_path: Path, folder: Path, made: ca.CaChange, now: float) -> None:
    machine = computer(tmp_path, Windows())
    store = UserRoot(machine)
    carry_out(store, to_install(store, made.certificate, made.certificate_file))
    new = ca.renew(folder, now, force=True)
    carry_out(store, to_install(store, new.certificate, new.certificate_file, [made.certificate]))
    assert store.check() == (HeldCertificate(new.certificate, trusted=True),)
    assert recorded(machine)[-1][-1] == thumbprint(made.certificate)


def test_a_person_who_says_no_leaves_it_as_it_was(tmp_path: Path, made: ca.CaChange) -> None:
    """Windows asks whether to take an authority in."""
    windows = Windows()
    store = UserRoot(computer(tmp_path, windows, **{"certutil.exe": fails(1223, "The operation was canceled.")}))
    with pytest.raises(ToolFailed, match=r"-addstore ROOT .* The operation was canceled\."):
        carry_out(store, to_install(store, made.certificate, made.certificate_file))
    assert windows.user == []


def test_answers_that_are_not_true_are_found_out(tmp_path: Path, made: ca.CaChange) -> None:
    """What an administrator has put into the machine's store, the user cannot remove."""
    windows = Windows()
    store = UserRoot(computer(tmp_path, windows, **{"certutil.exe": lambda _: Ended()}))
    with pytest.raises(NotTrusted):
        carry_out(store, to_install(store, made.certificate, made.certificate_file))
    windows.machine.append(der(made.certificate))
    assert store.check() == (HeldCertificate(made.certificate, trusted=True),)
    with pytest.raises(StillTrusted, match=r"removed by an administrator with certlm\.msc\."):
        carry_out(store, to_uninstall(store))


def test_a_path_without_the_tools_of_windows_is_told(tmp_path: Path, made: ca.CaChange) -> None:
    machine = replace(computer(tmp_path, Windows()), find=lambda _: None)
    store = UserRoot(machine)
    with pytest.raises(ToolMissing, match=r"put its System32 folder into PATH\."):
        carry_out(store, to_install(store, made.certificate, made.certificate_file))
    assert recorded(machine) == []


@pytest.mark.skipif(sys.platform != "win32", reason="there is a ROOT store on Windows only")
def test_the_real_store_can_be_read(tmp_path: Path) -> None:
    if sys.platform == "win32":
        roots = [each for each, _, _ in ssl.enum_certificates("ROOT")]
        machine = Machine(
            system="win32", home=tmp_path, run=Recorder(), find=lambda _: None, release={}, windows_roots=lambda: roots
        )
        assert UserRoot(machine).check() == ()
        assert roots
