"""The login keychain: the exact commands of `security`, and what its answers mean."""

import plistlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs import ca
from certs.errors import NotTrusted, StillTrusted, ToolFailed, ToolMissing
from certs.stores.base import HeldCertificate, Machine, StoreChange
from certs.stores.macos import LoginKeychain
from certs.stores.registry import carry_out, to_install, to_uninstall
from tests.certs.conftest import pem
from tests.certs.machines import Ended, Recorder, fails, recorded

SECURITY = "/usr/bin/security"
TLS = {"kSecTrustSettingsPolicyName": "sslServer", "kSecTrustSettingsResult": 1}


def sha1(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA1()).hex().upper()


class Security:
    """Plays `security` with one keychain and the user's trust settings."""

    def __init__(self) -> None:
        self.keychain: list[x509.Certificate] = []
        self.settings: dict[str, dict[str, object]] = {}

    def __call__(self, argv: Sequence[str]) -> Ended:
        play = getattr(self, argv[1].replace("-", "_"))
        ended = play(argv[2:])
        assert isinstance(ended, Ended)
        return ended

    def find_certificate(self, argv: Sequence[str]) -> Ended:
        if not self.keychain:
            return Ended(44, "", "The specified item could not be found in the keychain.")
        return Ended(out=pem(*self.keychain).decode())

    def trust_settings_export(self, argv: Sequence[str]) -> Ended:
        if not self.settings:
            return Ended(1, "", "SecTrustSettingsCreateExternalRepresentation: No Trust Settings were found.")
        Path(argv[0]).write_bytes(plistlib.dumps({"trustVersion": 1, "trustList": self.settings}))
        return Ended(out="...Trust Settings exported successfully.")

    def add_trusted_cert(self, argv: Sequence[str]) -> Ended:
        certificate = x509.load_pem_x509_certificate(Path(argv[-1]).read_bytes())
        self.keychain.append(certificate)
        self.settings[sha1(certificate)] = {"trustSettings": [TLS]}
        return Ended()

    def delete_certificate(self, argv: Sequence[str]) -> Ended:
        self.keychain = [each for each in self.keychain if sha1(each) != argv[1]]
        self.settings.pop(argv[1])
        return Ended()


@pytest.fixture
def made(folder: Path, now: float) -> ca.CaChange:
    return ca.create(folder, now)


@pytest.fixture
def security() -> Security:
    return Security()


@pytest.fixture
def mac(tmp_path: Path, security: Security) -> Machine:
    return Machine(
        system="darwin", home=tmp_path, run=Recorder({"security": security}), find=lambda name: name, release={}
    )


def test_in_and_out_again(mac: Machine, made: ca.CaChange) -> None:
    """Into the user's own keychain, trusted by the user alone and for TLS alone: neither root nor the system's."""
    store = LoginKeychain(mac)
    login = str(mac.home / "Library/Keychains/login.keychain-db")
    carry_out(store, to_install(store, made.certificate, made.certificate_file))
    file = str(made.certificate_file)
    assert [SECURITY, "add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-k", login, file] in recorded(mac)
    assert recorded(mac)[0] == [SECURITY, "find-certificate", "-a", "-c", "codex-rotate CA", "-p", login]
    assert store.check() == (HeldCertificate(made.certificate, trusted=True),)
    assert not to_install(store, made.certificate, made.certificate_file)
    carry_out(store, to_uninstall(store))
    assert [SECURITY, "delete-certificate", "-Z", sha1(made.certificate), "-t", login] in recorded(mac)
    assert store.check() == ()
    assert {argv[0] for argv in recorded(mac)} == {SECURITY}
    assert not [argv for argv in recorded(mac) if "-d" in argv or "System.keychain" in " ".join(argv)]


@pytest.mark.parametrize(
    ("settings", "trusted"),
    [
        ([TLS], True),
        ([], True),
        ([{"kSecTrustSettingsPolicyName": "sslServer"}], True),
        ([{}], True),
        ([{"kSecTrustSettingsPolicyName": "SMIME", "kSecTrustSettingsResult": 1}], False),
        ([{"kSecTrustSettingsPolicyName": "sslServer", "kSecTrustSettingsResult": 3}], False),
        ([{"kSecTrustSettingsPolicyName": "SMIME", "kSecTrustSettingsResult": 3}, TLS], True),
    ],
    ids=["for TLS", "for everything", "no result", "no policy", "for mail", "denied", "mail denied"],
)
def test_being_in_the_keychain_is_not_being_trusted(
    mac: Machine, security: Security, made: ca.CaChange, settings: list[dict[str, object]], *, trusted: bool
) -> None:
    store = LoginKeychain(mac)
    security.keychain.append(made.certificate)
    assert store.check() == (HeldCertificate(made.certificate, trusted=False),)
    security.settings[sha1(made.certificate)] = {"trustSettings": settings}
    assert store.check() == (HeldCertificate(made.certificate, trusted=trusted),)


def test_only_ours_are_deleted(mac: Machine, security: Security, made: ca.CaChange, now: float, tmp_path: Path) -> None:
    """The replaced one too; the settings of others stay."""
    older = ca.create(tmp_path / "older", now).certificate
    security.keychain += [made.certificate, older]
    security.settings |= {sha1(each): {} for each in security.keychain} | {"A" * 40: {}}
    carry_out(LoginKeychain(mac), to_uninstall(LoginKeychain(mac)))
    assert security.keychain == []
    assert list(security.settings) == ["A" * 40]


@pytest.mark.parametrize(("code", "said"), [(1, "User interaction is not allowed."), (None, "")])
def test_a_person_who_does_not_answer_leaves_it_as_it_was(
    mac: Machine, security: Security, made: ca.CaChange, code: int | None, said: str
) -> None:
    """macOS asks for the password at the screen."""
    security.add_trusted_cert = fails(code, said)  # type: ignore[method-assign]
    with pytest.raises(ToolFailed, match="add-trusted-cert"):
        carry_out(LoginKeychain(mac), to_install(LoginKeychain(mac), made.certificate, made.certificate_file))
    assert security.keychain == []


def test_answers_that_are_not_true_are_found_out(mac: Machine, security: Security, made: ca.CaChange) -> None:
    store = LoginKeychain(mac)
    security.add_trusted_cert = lambda _: Ended()  # type: ignore[method-assign]
    with pytest.raises(NotTrusted, match=r"by the login keychain, although .* Look for it in Keychain Access"):
        carry_out(store, to_install(store, made.certificate, made.certificate_file))
    security.keychain.append(made.certificate)
    security.delete_certificate = lambda _: Ended()  # type: ignore[method-assign]
    with pytest.raises(StillTrusted, match=r"is still in the login keychain.* in the keychains login and System\."):
        carry_out(store, StoreChange(drop=(made.certificate,)))


def test_a_machine_without_the_tool_is_told(mac: Machine, made: ca.CaChange) -> None:
    machine = replace(mac, find=lambda _: None)
    store = LoginKeychain(machine)
    with pytest.raises(ToolMissing, match="It is a part of macOS"):
        carry_out(store, to_install(store, made.certificate, made.certificate_file))
    assert {argv[1] for argv in recorded(machine)} == {"find-certificate"}


def test_a_locked_keychain_is_told(mac: Machine, security: Security) -> None:
    security.find_certificate = fails(51, "The user name or passphrase is not correct.")  # type: ignore[method-assign]
    with pytest.raises(ToolFailed, match=r"find-certificate .* exit code 51"):
        LoginKeychain(mac).check()


@pytest.mark.parametrize("content", [b"", b"not a plist", b"<plist><dict/></plist>", plistlib.dumps({"trustList": {}})])
def test_trust_settings_that_make_no_sense_trust_nothing(
    mac: Machine, security: Security, made: ca.CaChange, content: bytes
) -> None:
    def export(argv: Sequence[str]) -> Ended:
        Path(argv[0]).write_bytes(content)
        return Ended()

    security.keychain.append(made.certificate)
    security.trust_settings_export = export  # type: ignore[method-assign]
    assert LoginKeychain(mac).check() == (HeldCertificate(made.certificate, trusted=False),)
