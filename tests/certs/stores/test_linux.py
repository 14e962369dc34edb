"""The stores of Linux distributions: the right folder, the right command, and nothing of anybody else's."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from certs import ca
from certs.errors import NeedsRoot, NoStore, NotTrusted, StillTrusted, StoreUnreachable, ToolFailed, ToolMissing
from certs.stores.base import HeldCertificate, StoreChange
from certs.stores.linux import DISTRIBUTIONS, Anchors, Distribution, distribution, get_certutil
from certs.stores.registry import carry_out, to_install, to_uninstall
from tests.certs.conftest import pem
from tests.certs.machines import FOREIGN_ROOT, Ended, done, fails, linux, recorded

DEBIAN, FEDORA, ARCH, SUSE, ALPINE = DISTRIBUTIONS

each_distribution = pytest.mark.parametrize("kind", DISTRIBUTIONS, ids=lambda kind: kind.ids[0])
pytestmark = pytest.mark.skipif(os.name != "posix", reason="Linux has modes, links and pipes")


@pytest.fixture
def made(folder: Path, now: float) -> ca.CaChange:
    return ca.create(folder, now)


def anchor(machine_root: Path, kind: Distribution, certificate: x509.Certificate) -> Path:
    return machine_root / kind.folder / f"{ca.common_name(certificate).replace(' ', '-')}{kind.suffix}"


def install(store: Anchors, made: ca.CaChange, *old: x509.Certificate) -> StoreChange:
    change = to_install(store, made.certificate, made.certificate_file, old)
    carry_out(store, change)
    return change


# --- which one -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "kind"),
    [
        ({"ID": "debian"}, DEBIAN),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, DEBIAN),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, DEBIAN),
        ({"ID": "fedora"}, FEDORA),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, FEDORA),
        ({"ID": "arch"}, ARCH),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, ARCH),
        ({"ID": "opensuse-tumbleweed", "ID_LIKE": "opensuse suse"}, SUSE),
        ({"ID": "sles", "ID_LIKE": "suse"}, SUSE),
        ({"ID": "alpine"}, ALPINE),
    ],
)
def test_a_distribution_is_told_by_its_name(tmp_path: Path, release: dict[str, str], kind: Distribution) -> None:
    assert distribution(linux(tmp_path, kind, release=release)) is kind


@pytest.mark.parametrize("kind", [DEBIAN, FEDORA, ARCH, SUSE], ids=lambda kind: kind.ids[0])
@pytest.mark.parametrize("release", [{}, {"ID": "homemade"}, {"ID": "debian"}], ids=["none", "unknown", "wrong"])
def test_a_distribution_is_told_by_its_tool_and_folder(
    tmp_path: Path, kind: Distribution, release: dict[str, str]
) -> None:
    """Also where /etc/os-release says something else, as in a container that was put together by hand."""
    assert distribution(linux(tmp_path, kind, release=release)) is kind


def test_a_distribution_without_its_package_is_told_by_its_name(tmp_path: Path) -> None:
    """A small container: neither tool nor folder, and the advice is for it all the same."""
    machine = linux(tmp_path / "elsewhere", FEDORA, {}, files=tmp_path)
    store = Anchors(machine)
    with pytest.raises(ToolMissing, match=r"update-ca-trust, which is not installed\..* Run: sudo dnf install ca-cert"):
        store.ready(StoreChange())


def test_an_unknown_linux_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(NoStore, match=r"mitmproxy-ca-cert\.pem to it by hand.*`codex-rotate env` is enough\."):
        Anchors(linux(tmp_path / "elsewhere", DEBIAN, {}, files=tmp_path, release={"ID": "nixos"}))


# --- commands --------------------------------------------------------------------------------------------------------

UPDATES = {
    "debian": (["update-ca-certificates"], ["update-ca-certificates", "--fresh"]),
    "fedora": (["update-ca-trust", "extract"], ["update-ca-trust", "extract"]),
    "arch": (["trust", "extract-compat"], ["trust", "extract-compat"]),
    "suse": (["update-ca-certificates"], ["update-ca-certificates"]),
    "alpine": (["update-ca-certificates"], ["update-ca-certificates"]),
}


@each_distribution
def test_in_and_out_again(tmp_path: Path, made: ca.CaChange, kind: Distribution) -> None:
    """One file in the right folder that everybody can read, one command; the same for the way out."""
    machine = linux(tmp_path, kind)
    store, file = Anchors(machine), anchor(tmp_path, kind, made.certificate)
    came, went = UPDATES[kind.ids[0]]
    assert store.check() == ()
    assert install(store, made).add == made.certificate
    assert recorded(machine) == [came]
    assert file.read_bytes() == pem(made.certificate)
    assert " " not in file.name
    assert file.stat().st_mode & 0o777 == 0o644
    assert store.check() == (HeldCertificate(made.certificate, trusted=True),)
    assert not install(store, made)
    assert recorded(machine) == [came], "it is there: nothing is run again"
    carry_out(store, to_uninstall(store))
    assert recorded(machine) == [came, went]
    assert not file.exists()
    assert (tmp_path / kind.bundle).read_bytes() == FOREIGN_ROOT
    assert not to_uninstall(store)


@each_distribution
def test_without_the_right_it_says_the_commands(tmp_path: Path, made: ca.CaChange, kind: Distribution) -> None:
    """Exactly those, for whoever may, and none of them runs our code. Nothing is done here."""
    machine = linux(tmp_path, kind, root=False)
    store, (came, _) = Anchors(machine), UPDATES[kind.ids[0]]
    file = anchor(tmp_path, kind, made.certificate)
    with pytest.raises(NeedsRoot) as refused:
        install(store, made)
    source, target = quoted(made.certificate_file), quoted(file)
    assert str(refused.value).endswith(
        f"Nothing was changed. Run: sudo install -D -m 0644 {source} {target} && sudo {' '.join(came)}"
    )
    assert recorded(machine) == []
    assert not file.exists()


def quoted(path: Path) -> str:
    return str(path) if str(path).isascii() and " " not in str(path) else f"'{path}'"


def test_the_commands_for_root_are_quoted_and_remove_old_ones(tmp_path: Path, now: float) -> None:
    folder = tmp_path / "it's a home ü" / "ca"
    old = ca.create(folder, now)
    machine = linux(tmp_path / "m", DEBIAN)
    install(Anchors(machine), old)
    new = ca.renew(folder, now, force=True)
    store = Anchors(replace(machine, root=False))
    with pytest.raises(NeedsRoot) as refused:
        install(store, new, old.certificate)
    said = str(refused.value)
    assert f" && sudo rm -f {anchor(tmp_path / 'm', DEBIAN, old.certificate)} && " in said
    assert said.endswith("sudo update-ca-certificates --fresh")
    assert """'"'"'s a home ü/ca/mitmproxy-ca-cert.pem'""" in said


def test_a_renewed_one_takes_the_place_of_the_old(tmp_path: Path, folder: Path, now: float) -> None:
    old = ca.create(folder, now)
    machine = linux(tmp_path, DEBIAN)
    store = Anchors(machine)
    install(store, old)
    new = ca.renew(folder, now, force=True)
    install(store, new, *(each for _, each in ca.kept(folder, now)))
    assert store.check() == (HeldCertificate(new.certificate, trusted=True),)
    assert [file.name for file in (tmp_path / DEBIAN.folder).iterdir()] == [
        anchor(tmp_path, DEBIAN, new.certificate).name
    ]


def test_another_user_s_ca_stays_at_install_and_goes_at_uninstall(tmp_path: Path, folder: Path, now: float) -> None:
    """On a shared machine it may be needed; whoever uninstalls wants none of them."""
    theirs, mine = ca.create(tmp_path / "theirs", now), ca.create(folder, now)
    store = Anchors(linux(tmp_path, DEBIAN))
    install(store, theirs)
    install(store, mine)
    assert {each.certificate for each in store.check()} == {theirs.certificate, mine.certificate}
    carry_out(store, to_uninstall(store))
    assert store.check() == ()


# --- what else is in the folder --------------------------------------------------------------------------------------


def test_what_is_not_ours_alone_is_never_touched(tmp_path: Path, made: ca.CaChange, now: float) -> None:
    """Other certificates, one of ours together with another one, a pipe, a dead link, a huge file."""
    machine = linux(tmp_path, DEBIAN)
    place = tmp_path / DEBIAN.folder
    other = ca.create(tmp_path / "other", now).certificate
    (place / "firm.crt").write_bytes(FOREIGN_ROOT)
    (place / "mixed.crt").write_bytes(FOREIGN_ROOT + pem(other))
    (place / "key.crt").write_bytes((made.folder / ca.KEY_FILE).read_bytes())
    (place / "huge.crt").write_bytes(pem(other) + b"\n" * (2 << 20))
    os.mkfifo(place / "pipe.crt")
    (place / "dead.crt").symlink_to("nowhere")
    before = sorted(place.iterdir())
    store = Anchors(machine)
    assert store.check() == ()
    carry_out(store, to_uninstall(store))
    assert sorted(place.iterdir()) == before
    assert recorded(machine) == []


def test_a_link_of_somebody_who_did_it_by_hand_is_removed_and_its_target_stays(
    tmp_path: Path, made: ca.CaChange
) -> None:
    """Also in a folder below, where the command finds it too."""
    machine = linux(tmp_path, DEBIAN)
    below = tmp_path / DEBIAN.folder / "by hand"
    below.mkdir()
    (below / "proxy.crt").symlink_to(made.certificate_file)
    store = Anchors(machine)
    assert store.check() == (HeldCertificate(made.certificate, trusted=False),), "nobody has run the command yet"
    carry_out(store, to_uninstall(store))
    assert list(below.iterdir()) == []
    assert made.certificate_file.exists()


def test_a_file_that_the_command_has_not_read_yet_is_installed(tmp_path: Path, made: ca.CaChange) -> None:
    machine = linux(tmp_path, DEBIAN)
    anchor(tmp_path, DEBIAN, made.certificate).write_bytes(pem(made.certificate))
    assert install(Anchors(machine), made)
    assert recorded(machine) == [["update-ca-certificates"]]


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_command_that_fails_leaves_nothing_behind(tmp_path: Path, made: ca.CaChange) -> None:
    """A file that stays would be trusted at the next update of the system."""
    machine = linux(tmp_path, DEBIAN, {"update-ca-certificates": fails(1, "ln: cannot: Permission denied")})
    with pytest.raises(ToolFailed, match=r"exit code 1 and said: ln: cannot: Permission denied\."):
        install(Anchors(machine), made)
    assert list((tmp_path / DEBIAN.folder).iterdir()) == []


def test_a_command_that_does_nothing_is_found_out(tmp_path: Path, made: ca.CaChange) -> None:
    """It says that it is done, and the certificate is not there; what was put there is gone again."""
    machine = linux(tmp_path, DEBIAN, {"update-ca-certificates": done})
    with pytest.raises(NotTrusted, match=r"although every command for that succeeded\. Look for it in "):
        install(Anchors(machine), made)
    assert list((tmp_path / DEBIAN.folder).iterdir()) == []


def test_a_certificate_that_stays_is_found_out(tmp_path: Path, made: ca.CaChange) -> None:
    """Somebody has put it among the roots in another way."""
    machine = linux(tmp_path, FEDORA, {"update-ca-trust": lambda _: Ended(out="done")})
    (tmp_path / FEDORA.bundle).write_bytes(FOREIGN_ROOT + pem(made.certificate))
    store = Anchors(machine)
    with pytest.raises(StillTrusted, match=r"is still in the trust store of Fedora.* Look for it in "):
        carry_out(store, to_uninstall(store))
    assert recorded(machine) == [["update-ca-trust", "extract"]]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, made: ca.CaChange) -> None:
    machine = linux(tmp_path, DEBIAN)
    place = tmp_path / DEBIAN.folder
    store = Anchors(machine)
    place.rmdir()
    place.write_text("a file in the way")
    with pytest.raises(StoreUnreachable, match=r"ca-certificates.* cannot be used .* run the command again\."):
        install(store, made)
    assert recorded(machine) == []


def test_roots_that_are_gone_hold_nothing(tmp_path: Path) -> None:
    machine = linux(tmp_path, DEBIAN)
    (tmp_path / DEBIAN.bundle).unlink()
    assert Anchors(machine).check() == ()


def test_the_package_of_certutil_is_the_distribution_s(tmp_path: Path) -> None:
    said = [get_certutil(linux(tmp_path / each.ids[0], each)) for each in DISTRIBUTIONS]
    assert [each.rpartition(" ")[2] for each in said] == [
        "libnss3-tools",
        "nss-tools",
        "nss",
        "mozilla-nss-tools",
        "nss-tools",
    ]
    assert all(each.startswith("Run: sudo ") for each in said)
    assert "libnss3-tools, nss-tools or nss" in get_certutil(linux(tmp_path / "x", DEBIAN, release={}))
