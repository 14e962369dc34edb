"""The databases of browsers: all places they are in, the exact commands, and the real certutil where there is one."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from certs import ca
from certs.errors import NotTrusted, StoreUnreachable, ToolFailed, ToolMissing
from certs.stores.base import HeldCertificate, Machine
from certs.stores.linux import DISTRIBUTIONS, Distribution
from certs.stores.nss import Database, databases
from certs.stores.registry import carry_out, to_install, to_uninstall
from tests.certs.conftest import pem
from tests.certs.machines import Ended, Play, Recorder, fails, linux, recorded

DEBIAN = DISTRIBUTIONS[0]
CERTUTIL = "/usr/sbin/certutil"

real = pytest.mark.skipif(
    os.name != "posix" or shutil.which("certutil") is None, reason="NSS's certutil is not installed: libnss3-tools"
)


@pytest.fixture
def made(folder: Path, now: float) -> ca.CaChange:
    return ca.create(folder, now)


def profile(machine: Machine, place: str, content: bytes = b"") -> Path:
    folder = machine.home / place
    folder.mkdir(parents=True)
    (folder / "cert9.db").write_bytes(content)
    return folder


class Certutil:
    """Plays certutil for one database: nicknames, certificates and trust, in a real file that mentions them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, tuple[bytes, str]] = {}

    def __call__(self, argv: Sequence[str]) -> Ended:
        said = Ended()
        name = argv[argv.index("-n") + 1] if "-n" in argv else ""
        if "-A" in argv:
            self.put(name, Path(argv[argv.index("-i") + 1]).read_bytes(), argv[argv.index("-t") + 1])
        elif "-D" in argv:
            del self.entries[name]
        elif name:
            said = Ended(out=self.entries[name][0].decode())
        else:
            head = "\nCertificate Nickname          Trust Attributes\n                   SSL,S/MIME,JAR/XPI\n\n"
            said = Ended(out=head + "".join(f"{name:<60} {trust:<5}\n" for name, (_, trust) in self.entries.items()))
        return said

    def put(self, name: str, certificate: bytes, trust: str) -> None:
        self.entries[name] = (certificate, trust)
        (self.folder / "cert9.db").write_bytes(b"SQLite codex-rotate CA 0123456789ab")


def browser(tmp_path: Path, **plays: Play) -> tuple[Machine, Database, Certutil]:
    """A machine with one database, of Chromium."""
    machine = linux(tmp_path, DEBIAN, {})
    certutil = Certutil(profile(machine, ".pki/nssdb"))
    assert isinstance(machine.run, Recorder)
    machine = replace(machine, run=Recorder({"certutil": certutil, **plays}), find=lambda name: f"/usr/sbin/{name}")
    (database,) = databases(machine)
    return machine, database, certutil


# --- places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        ".pki/nssdb",
        ".local/share/pki/nssdb",
        "snap/chromium/current/.pki/nssdb",
        ".var/app/org.chromium.Chromium/.pki/nssdb",
        ".var/app/com.google.Chrome/data/pki/nssdb",
        ".mozilla/firefox/abcd.default-release",
        ".config/mozilla/firefox/abcd.profile with spaces ü",
        "snap/firefox/common/.mozilla/firefox/abcd.default",
        ".var/app/org.mozilla.firefox/.mozilla/firefox/abcd.default",
        ".var/app/org.mozilla.firefox/config/mozilla/firefox/abcd.default",
    ],
)
def test_a_database_is_found_where_browsers_keep_it(tmp_path: Path, place: str) -> None:
    machine = linux(tmp_path, DEBIAN)
    folder = profile(machine, place)
    assert [each.place for each in databases(machine)] == [folder]
    assert databases(replace(machine, system="darwin")) == []


def test_firefox_on_macos_has_databases_and_windows_has_none(tmp_path: Path) -> None:
    machine = replace(linux(tmp_path, DEBIAN), system="darwin")
    folder = profile(machine, "Library/Application Support/Firefox/Profiles/abcd.default")
    assert [each.place for each in databases(machine)] == [folder]
    assert databases(replace(machine, system="win32")) == []


@pytest.mark.skipif(os.name != "posix", reason="making links is a POSIX matter")
def test_a_database_under_two_names_is_one(tmp_path: Path) -> None:
    """As with snap, whose `current` is a link to the present revision."""
    machine = linux(tmp_path, DEBIAN)
    folder = profile(machine, "snap/chromium/2042/.pki/nssdb")
    (machine.home / "snap/chromium/current").symlink_to("2042")
    (machine.home / ".pki").symlink_to("snap/chromium/2042/.pki")
    assert [each.place for each in databases(machine)] == [folder]


def test_what_has_no_database_is_passed_over(tmp_path: Path) -> None:
    """Old formats, empty folders, `profiles.ini`, and no home folder at all. Nothing is made."""
    machine = linux(tmp_path, DEBIAN)
    assert databases(machine) == []
    old = machine.home / ".mozilla/firefox/old"
    old.mkdir(parents=True)
    (old / "cert8.db").write_bytes(b"")
    (machine.home / ".mozilla/firefox/profiles.ini").write_text("[Profile0]")
    (machine.home / ".pki/nssdb").mkdir(parents=True)
    assert databases(machine) == []
    assert list((machine.home / ".pki/nssdb").iterdir()) == []


# --- commands --------------------------------------------------------------------------------------------------------


def test_in_and_out_again(tmp_path: Path, made: ca.CaChange) -> None:
    machine, database, _ = browser(tmp_path)
    where, name = f"sql:{database.place}", ca.common_name(made.certificate)
    carry_out(database, to_install(database, made.certificate, made.certificate_file))
    changes = [argv for argv in recorded(machine) if "-L" not in argv]
    file = str(made.certificate_file)
    assert changes == [[CERTUTIL, "-A", "-d", where, "-n", name, "-t", "C,,", "-i", file]]
    assert [CERTUTIL, "-L", "-d", where] in recorded(machine)
    assert [CERTUTIL, "-L", "-d", where, "-n", name, "-a"] in recorded(machine)
    assert not to_install(database, made.certificate, made.certificate_file)
    recorded(machine).clear()
    carry_out(database, to_uninstall(database))
    changes = [argv for argv in recorded(machine) if "-L" not in argv]
    assert changes == [[CERTUTIL, "-D", "-d", where, "-n", name]]
    assert database.check() == ()


def test_a_database_without_our_name_is_read_without_a_program(tmp_path: Path) -> None:
    """So that looking is cheap, and needs no tool where there is nothing to find."""
    machine = replace(linux(tmp_path, DEBIAN, {}), find=lambda _: None)
    profile(machine, ".pki/nssdb", b"SQLite: somebody else's")
    (database,) = databases(machine)
    assert database.check() == ()
    assert recorded(machine) == []


def test_what_is_there_without_trust_is_not_trusted(tmp_path: Path, made: ca.CaChange) -> None:
    """It is made trusted, not added twice; under whatever name somebody has put it there."""
    _, database, certutil = browser(tmp_path)
    certutil.put("imported by  hand ü", pem(made.certificate), ",,")
    certutil.put("for mail only", pem(made.certificate), ",C,")
    assert {each.trusted for each in database.check()} == {False}
    certutil.put("imported by  hand ü", pem(made.certificate), "CT,c,c")
    assert HeldCertificate(made.certificate, trusted=True) in database.check()


def test_uninstall_takes_ours_only(tmp_path: Path, made: ca.CaChange, now: float) -> None:
    """By what a certificate is, not by what it is called there."""
    _, database, certutil = browser(tmp_path)
    older = ca.create(tmp_path / "older", now).certificate
    certutil.put("Firm Root", pem(made.certificate), "C,,")
    certutil.put("an old one", pem(older), "C,,")
    certutil.put("codex-rotate CA impostor", b"", "C,,")
    carry_out(database, to_uninstall(database))
    assert list(certutil.entries) == ["codex-rotate CA impostor"]


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DISTRIBUTIONS, ids=lambda kind: kind.ids[0])
def test_a_missing_certutil_is_advice_for_this_system(tmp_path: Path, made: ca.CaChange, kind: Distribution) -> None:
    machine = linux(tmp_path, kind, {})
    profile(machine, ".mozilla/firefox/x", b"codex-rotate CA 0123456789ab")
    (database,) = databases(machine)
    for act in (database.check, lambda: to_install(database, made.certificate, made.certificate_file)):
        with pytest.raises(ToolMissing) as missing:
            act()
        assert str(missing.value).endswith(f"certutil, which is not installed. Run: sudo {kind.get_certutil}")
    assert recorded(machine) == []


def test_a_missing_certutil_on_macos(tmp_path: Path, made: ca.CaChange) -> None:
    machine = replace(linux(tmp_path, DEBIAN, {}), system="darwin", find=lambda _: None)
    profile(machine, "Library/Application Support/Firefox/Profiles/x")
    (database,) = databases(machine)
    with pytest.raises(ToolMissing, match="Run: brew install nss"):
        carry_out(database, to_install(database, made.certificate, made.certificate_file))


def test_a_refusal_is_shown_and_what_is_half_there_is_removed(tmp_path: Path, made: ca.CaChange) -> None:
    """As certutil does with a primary password: the certificate is in, its trust is not, and the exit code is 255."""
    machine, database, certutil = browser(tmp_path)

    def half(argv: Sequence[str]) -> Ended:
        ended = certutil(argv)
        if "-A" in argv:
            name = argv[argv.index("-n") + 1]
            certutil.entries[name] = (certutil.entries[name][0], ",,")
            return Ended(255, "", "certutil: could not authenticate to token: SEC_ERROR_BAD_PASSWORD")
        return ended

    assert isinstance(machine.run, Recorder)
    machine.run.plays["certutil"] = half
    with pytest.raises(ToolFailed, match=r"SEC_ERROR_BAD_PASSWORD\. With a primary password .* import or delete mitm"):
        carry_out(database, to_install(database, made.certificate, made.certificate_file))
    assert certutil.entries == {}


def test_a_certutil_that_does_nothing_is_found_out(tmp_path: Path, made: ca.CaChange) -> None:
    _, database, _ = browser(tmp_path, certutil=lambda _: Ended())
    with pytest.raises(NotTrusted, match=r"certutil -L -d sql:"):
        carry_out(database, to_install(database, made.certificate, made.certificate_file))


def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    machine, database, certutil = browser(tmp_path, certutil=fails(255, "SEC_ERROR_BAD_DATABASE"))
    certutil.put("x", b"", "")
    with pytest.raises(ToolFailed, match=r"`/usr/sbin/certutil -L -d sql:.*` failed .* SEC_ERROR_BAD_DATABASE"):
        database.check()
    (database.place / "cert9.db").unlink()
    with pytest.raises(StoreUnreachable, match=r"cert9\.db cannot be used"):
        database.check()
    assert len(recorded(machine)) == 1


# --- the real certutil -----------------------------------------------------------------------------------------------


def really(argv: Sequence[str]) -> Ended:
    ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return Ended(ran.returncode, ran.stdout, ran.stderr)


def real_database(tmp_path: Path, *flags: str) -> Database:
    machine = linux(tmp_path, DEBIAN, home=tmp_path / "a home ü", run=really, find=shutil.which)
    folder = machine.home / ".mozilla/firefox/it's mine"
    folder.mkdir(parents=True)
    assert really(["certutil", "-N", "-d", f"sql:{folder}", *(flags or ("--empty-password",))]).code == 0
    (database,) = databases(machine)
    return database


@real
def test_a_real_database_takes_it_in_and_gives_it_back(tmp_path: Path, now: float) -> None:
    """A renewed one takes the place of the old one; somebody else's stays with its trust."""
    database = real_database(tmp_path)
    foreign = make_foreign(tmp_path)
    where = ["-d", f"sql:{database.place}"]
    assert really(["certutil", "-A", *where, "-n", "Firm Root", "-t", "CT,C,", "-i", foreign]).code == 0
    old = ca.create(tmp_path / "ü ca", now)
    assert database.check() == ()
    carry_out(database, to_install(database, old.certificate, old.certificate_file))
    assert database.check() == (HeldCertificate(old.certificate, trusted=True),)
    assert not to_install(database, old.certificate, old.certificate_file)
    new = ca.renew(tmp_path / "ü ca", now, force=True)
    carry_out(database, to_install(database, new.certificate, new.certificate_file, [old.certificate]))
    assert database.check() == (HeldCertificate(new.certificate, trusted=True),)
    carry_out(database, to_uninstall(database))
    listing = really(["certutil", "-L", *where]).out
    assert "codex-rotate" not in listing
    assert "Firm Root" in listing
    assert "CT,C," in listing


def make_foreign(tmp_path: Path) -> str:
    """A root that is not ours."""
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3"]
    out = tmp_path / "firm.pem"
    assert (
        really(["openssl", *words, "-subj", "/CN=Firm Root", "-keyout", str(tmp_path / "k"), "-out", str(out)]).code
        == 0
    )
    return str(out)


@real
def test_a_real_database_trusts_what_somebody_put_there_under_another_name(tmp_path: Path, made: ca.CaChange) -> None:
    """The same certificate cannot be in it twice: it is trusted under the name that it has."""
    database = real_database(tmp_path)
    argv = ["certutil", "-A", "-d", f"sql:{database.place}", "-n", "mine", "-t", ",,", "-i", str(made.certificate_file)]
    assert really(argv).code == 0
    assert database.check() == (HeldCertificate(made.certificate, trusted=False),)
    carry_out(database, to_install(database, made.certificate, made.certificate_file))
    assert database.check() == (HeldCertificate(made.certificate, trusted=True),)


@real
def test_a_real_database_with_a_primary_password_is_left_as_it_was(tmp_path: Path, made: ca.CaChange) -> None:
    password = tmp_path / "password"
    password.write_text("a primary password\n")
    database = real_database(tmp_path, "-f", str(password))
    with pytest.raises(ToolFailed, match="With a primary password"):
        carry_out(database, to_install(database, made.certificate, made.certificate_file))
    assert database.check() == ()


@real
def test_a_real_database_that_is_damaged_is_told(tmp_path: Path) -> None:
    database = real_database(tmp_path)
    (database.place / "cert9.db").write_bytes(b"not SQLite, but codex-rotate CA is in it")
    with pytest.raises(ToolFailed, match="SEC_ERROR_BAD_DATABASE"):
        database.check()
