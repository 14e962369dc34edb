"""Full bundles: every root of the system and of the user, and of ours what is trusted now and nothing else."""

import os
import ssl
import stat
from pathlib import Path

import pytest

from certs import ca, debug_ca
from certs.bundles import (
    BundleUnwritable,
    NoRoots,
    bundle,
    certificates,
    find_roots,
    is_ours,
    outdated,
    refresh,
    write_bundle,
)
from tests.certs import conftest as made

posix = pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")

KEY = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def pem(body: str) -> bytes:
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode()


OURS, ROOT_A, ROOT_B = pem("OURS"), pem("ROOTA"), pem("ROOTB")


def test_a_bundle_is_all_roots_and_then_ours_each_once() -> None:
    """Line ends, remarks and doubles do not matter, and no private key comes along."""
    roots = b"# A root\r\n" + ROOT_A.replace(b"\n", b"\r\n") + KEY + ROOT_B + ROOT_A + OURS
    assert bundle(KEY + OURS, roots) == ROOT_A + ROOT_B + OURS


def test_a_bundle_without_roots_is_refused() -> None:
    """It would cut other tools off from everything else."""
    for roots in (b"", b"rubbish", OURS):
        with pytest.raises(NoRoots, match="ca-certificates"):
            bundle(OURS, roots)


def test_the_roots_of_this_system_can_be_used(tmp_path: Path) -> None:
    """What is found loads into a TLS library, without any variable."""
    found = find_roots({})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=bundle(OURS, found).removesuffix(OURS).decode())
    assert context.cert_store_stats()["x509_ca"] > 10


def test_the_users_own_bundle_is_taken_too(tmp_path: Path) -> None:
    """A company's roots are needed by the same tools."""
    users = tmp_path / "company.pem"
    users.write_bytes(ROOT_A)
    found = certificates(find_roots({"SSL_CERT_FILE": str(users)}))
    assert found[0] == ROOT_A.rstrip()
    assert len(found) > 10


def test_a_bundle_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "made" / "bundle.pem"
    assert write_bundle(file, b"one")
    assert not write_bundle(file, b"one")
    assert write_bundle(file, b"two")
    assert file.read_bytes() == b"two"
    assert [each.name for each in file.parent.iterdir()] == ["bundle.pem"]


@posix
def test_a_bundle_is_its_owners_only(tmp_path: Path) -> None:
    """Whoever could write it could add an authority."""
    file = tmp_path / "made" / "bundle.pem"
    write_bundle(file, b"one")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_bundle_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bundle.pem").mkdir()
    with pytest.raises(BundleUnwritable, match="CODEX_ROTATE_HOME"):
        write_bundle(tmp_path / "bundle.pem", b"one")
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".unfinished")] == []


def test_of_our_own_bundle_only_the_rest_is_the_user_s(tmp_path: Path, now: float) -> None:
    """Else a replaced authority, or the debug one, would stay trusted for ever."""
    old, new = (made.pem(ca.create(tmp_path / name, now).certificate) for name in ("old", "new"))
    debug = made.pem(debug_ca.ensure(tmp_path / "debug", now).certificate)
    ours = tmp_path / "all-tools.pem"
    ours.write_bytes(ROOT_A + old + debug)
    together = certificates(bundle(new, find_roots({"SSL_CERT_FILE": str(ours)})))
    assert together[0] == ROOT_A.rstrip()
    assert together[-1] == new.rstrip()
    assert [each for each in together if is_ours(each)] == [new.rstrip()]


def test_a_root_of_the_system_is_not_ours(tmp_path: Path) -> None:
    """Nor is what is no certificate at all."""
    assert not [each for each in certificates(find_roots({})) if is_ours(each)]
    assert not is_ours(pem("A=A").rstrip())
    assert not is_ours(b"")


# --- refreshing ------------------------------------------------------------------------------------------------------


def test_only_our_part_of_a_bundle_is_replaced(tmp_path: Path, now: float) -> None:
    """The roots stay those of the shell in which it was made, in their order."""
    old, new = (made.pem(ca.create(tmp_path / name, now).certificate) for name in ("old", "new"))
    file = tmp_path / "bundle.pem"
    file.write_bytes(ROOT_B + old + ROOT_A)
    refresh(tmp_path, new)
    assert file.read_bytes() == ROOT_B + ROOT_A + new
    before = file.stat().st_mtime_ns
    assert outdated(tmp_path, new) == {}
    refresh(tmp_path, new)
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("content", [b"", b"rubbish", KEY], ids=["empty", "rubbish", "a key"])
def test_a_damaged_bundle_is_made_anew(tmp_path: Path, now: float, content: bytes) -> None:
    """From the roots of the system: tools that take it instead of those would have nothing."""
    ours = made.pem(ca.create(tmp_path / "ca", now).certificate)
    file = tmp_path / "bundle.pem"
    file.write_bytes(content)
    refresh(tmp_path, ours)
    found = certificates(file.read_bytes())
    assert len(found) > 10
    assert found[-1] == ours.rstrip()


def test_line_ends_of_windows_are_no_reason_to_write_a_certificate_twice(tmp_path: Path, now: float) -> None:
    ours = made.pem(ca.create(tmp_path / "ca", now).certificate)
    (tmp_path / "bundle.pem").write_bytes((ROOT_A + ours).replace(b"\n", b"\r\n"))
    refresh(tmp_path, ours)
    assert (tmp_path / "bundle.pem").read_bytes() == ROOT_A + ours


def test_something_else_under_the_name_of_a_bundle_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bundle.pem").mkdir()
    refresh(tmp_path, OURS)
    assert (tmp_path / "bundle.pem").is_dir()
