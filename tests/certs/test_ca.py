"""The CA: what is made, when it is renewed, what clients trust meanwhile, and that nothing is lost or shown."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certs import ca
from certs.bundles import certificates
from certs.ca import CERTIFICATE_FILE, KEY_FILE, TRUSTED_FILE, CaAction, CertificateCondition
from certs.errors import CaMissing, CaThere, CaUnreachable
from tests.certs.conftest import DAY, contents, key_in, pem, plain, secrets_in, sign

posix = pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")
ROOT = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


# --- what is made ----------------------------------------------------------------------------------------------------


def test_mitmproxy_s_files_and_what_clients_trust(folder: Path, now: float) -> None:
    """The key is in one file; what it holds first is the key, then the certificate."""
    done = ca.create(folder, now)
    assert set(contents(folder)) == {KEY_FILE, CERTIFICATE_FILE, TRUSTED_FILE}
    assert done.certificate_file == folder / CERTIFICATE_FILE
    assert done.certificate_file.read_bytes() == done.trusted_file.read_bytes() == pem(done.certificate)
    assert (folder / KEY_FILE).read_bytes() == plain(key_in(folder / KEY_FILE)) + pem(done.certificate)


@posix
def test_what_is_made_is_its_owner_s_only(folder: Path, now: float) -> None:
    """Whatever the umask is."""
    before = os.umask(0)
    try:
        ca.create(folder, now)
        ca.renew(folder, now, force=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_create_never_replaces_anything(folder: Path, now: float) -> None:
    """It says what is there."""
    made = ca.create(folder, now).certificate
    before = contents(folder)
    with pytest.raises(CaThere) as said:
        ca.create(folder, now)
    assert ca.common_name(made) in str(said.value)
    assert contents(folder) == before


@pytest.mark.parametrize("name", [KEY_FILE, CERTIFICATE_FILE])
def test_create_leaves_what_it_cannot_read_alone(folder: Path, now: float, name: str) -> None:
    """It may be the key of something that somebody trusts."""
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"not PEM")
    with pytest.raises(CaThere, match="renew --force"):
        ca.create(folder, now)
    assert contents(folder) == {name: b"not PEM"}


# --- renewing --------------------------------------------------------------------------------------------------------


def test_nothing_is_renewed_before_it_is_due(folder: Path, now: float) -> None:
    made = ca.create(folder, now).certificate
    before = contents(folder)
    assert ca.renew(folder, now) == ca.CaChange(action=CaAction.NOTHING, folder=folder, certificate=made)
    assert contents(folder) == before


@pytest.mark.parametrize("later", [340 * DAY, 400 * DAY], ids=["due", "expired"])
def test_renewing_makes_a_new_key_and_keeps_the_old_certificate(folder: Path, now: float, later: float) -> None:
    """The old one without its key: nobody can sign with it any more."""
    made = ca.create(folder, now).certificate
    secrets = secrets_in(folder / KEY_FILE)
    done = ca.renew(folder, now + later)
    assert done.action is CaAction.RENEWED
    assert done.certificate.public_key() != made.public_key()
    assert done.certificate.subject != made.subject
    assert done.old is not None
    assert done.old.read_bytes() == pem(made)
    everything = b"".join(contents(folder).values()).decode()
    assert secrets
    assert not [line for line in secrets if line in everything]
    assert ca.examine(folder, now + later).certificate == done.certificate


def test_there_is_nothing_to_renew_where_nothing_is(folder: Path, now: float) -> None:
    with pytest.raises(CaMissing):
        ca.renew(folder, now, force=True)


@pytest.mark.parametrize("content", [None, b"", b"another"], ids=["gone", "empty", "something else"])
def test_the_copy_that_clients_trust_is_made_again(folder: Path, now: float, content: bytes | None) -> None:
    made = ca.create(folder, now).certificate
    copy = folder / CERTIFICATE_FILE
    copy.unlink()
    if content is not None:
        copy.write_bytes(content)
    found = ca.examine(folder, now)
    assert (found.condition, found.certificate) == (CertificateCondition.COPY_DIFFERS, made)
    assert str(copy) in found.trouble
    assert ca.renew(folder, now).action is CaAction.MENDED
    assert copy.read_bytes() == pem(made)


def test_a_renewal_that_was_cut_off_is_finished(folder: Path, now: float) -> None:
    """The key file is new, the copy still the old one: the next start ends it, and loses neither certificate."""
    old = ca.create(folder, now).certificate
    new = ca.renew(folder, now, force=True).certificate
    for file in folder.glob("old-*"):
        file.unlink()
    (folder / CERTIFICATE_FILE).write_bytes(pem(old))
    done = ca.ensure(folder, now)
    assert (done.action, done.certificate) == (CaAction.MENDED, new)
    assert done.old is not None
    assert done.old.read_bytes() == pem(old)


# --- what starts a proxy ---------------------------------------------------------------------------------------------


def test_ensure_does_what_is_needed_and_says_so(folder: Path, now: float) -> None:
    actions = [ca.ensure(folder, now + days * DAY).action for days in (0, 1, 334, 335, 336, 336 + 400)]
    assert actions == [
        CaAction.CREATED,
        CaAction.NOTHING,
        CaAction.NOTHING,
        CaAction.RENEWED,
        CaAction.NOTHING,
        CaAction.RENEWED,
    ]


def test_two_that_start_at_once_get_the_same_one(folder: Path, now: float) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: ca.ensure(folder, now), range(16)))
    assert len({ca.fingerprint(each.certificate) for each in done}) == 1
    assert [each.action for each in done].count(CaAction.CREATED) == 1
    assert ca.examine(folder, now).condition is CertificateCondition.USABLE


# --- troubles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("work", [ca.create, ca.ensure, ca.renew])
def test_a_file_in_the_way_of_the_folder_is_told(folder: Path, now: float, work) -> None:  # type: ignore[no-untyped-def]
    folder.parent.write_text("a file")
    with pytest.raises(CaUnreachable, match="CODEX_ROTATE_HOME"):
        work(folder, now)
    assert folder.parent.read_text() == "a file"


def test_a_folder_in_the_way_of_a_file_is_told_and_leaves_no_half_file(folder: Path, now: float) -> None:
    (folder / KEY_FILE).mkdir(parents=True)
    with pytest.raises(CaUnreachable, match="Check who may"):
        ca.ensure(folder, now)
    (folder / KEY_FILE).rmdir()
    ca.create(folder, now)
    (folder / CERTIFICATE_FILE).unlink()
    (folder / CERTIFICATE_FILE).mkdir()
    with pytest.raises(CaUnreachable):
        ca.renew(folder, now, force=True)
    assert not list(folder.glob(".unfinished-*"))


# --- the overlap -----------------------------------------------------------------------------------------------------


def trusted_of(folder: Path) -> bytes:
    return (folder / TRUSTED_FILE).read_bytes()


def test_after_a_renewal_clients_trust_both(folder: Path, now: float) -> None:
    """A proxy that was started before still signs with the old one."""
    old = ca.create(folder, now).certificate
    assert trusted_of(folder) == pem(old)
    done = ca.renew(folder, now + 340 * DAY)
    assert done.overlap
    assert done.trusted_file.read_bytes() == pem(done.certificate, old)
    assert (folder / CERTIFICATE_FILE).read_bytes() == pem(done.certificate)


def test_what_a_proxy_signs_with_is_trusted_at_every_moment(folder: Path, now: float) -> None:
    """Also in the middle of a renewal: a client or a proxy that starts then finds both."""
    ca.create(folder, now)
    seen = set()
    with ThreadPoolExecutor(1) as pool:
        renewals = pool.submit(lambda: [ca.renew(folder, now, force=True) for _ in range(20)])
        while not renewals.done():
            signs = certificates((folder / KEY_FILE).read_bytes())[0]
            assert signs in certificates(trusted_of(folder))
            seen.add(signs)
    assert len(renewals.result()) == 20
    assert seen


def test_a_renewal_that_wrote_only_what_is_trusted_is_taken_back(folder: Path, now: float) -> None:
    """The key of that certificate is lost: nobody is to trust it."""
    made = ca.create(folder, now).certificate
    lost = ca.create(folder.with_name("other"), now).certificate
    (folder / TRUSTED_FILE).write_bytes(pem(lost, made))
    assert ca.ensure(folder, now).certificate == made
    assert trusted_of(folder) == pem(made)


def test_an_expired_one_is_dropped_by_the_next_start(folder: Path, now: float) -> None:
    """From the bundle as well. That is no event: nothing is said about it."""
    ca.create(folder, now)
    new = ca.renew(folder, now + 340 * DAY).certificate
    (folder / "bundle.pem").write_bytes(ROOT + trusted_of(folder))
    assert ca.ensure(folder, now + 365 * DAY).action is CaAction.NOTHING
    assert len(certificates(trusted_of(folder))) == 2
    assert ca.ensure(folder, now + 365 * DAY + 1).action is CaAction.NOTHING
    assert trusted_of(folder) == pem(new)
    assert (folder / "bundle.pem").read_bytes() == ROOT + pem(new)


def test_an_authority_of_an_older_version_gets_its_file_at_the_next_start(folder: Path, now: float) -> None:
    made = ca.create(folder, now).certificate
    (folder / TRUSTED_FILE).unlink()
    assert ca.ensure(folder, now).action is CaAction.NOTHING
    assert trusted_of(folder) == pem(made)


@pytest.mark.parametrize("name", ["bundle.pem", "all-tools.pem"])
def test_a_bundle_that_is_there_follows_every_renewal(folder: Path, now: float, name: str) -> None:
    """Its other certificates and their order stay. One that is not there is not made."""
    first = ca.create(folder, now).certificate
    assert not (folder / name).exists()
    (folder / name).write_bytes(ROOT + pem(first))
    second = ca.renew(folder, now, force=True).certificate
    assert (folder / name).read_bytes() == ROOT + pem(second, first)
    third = ca.renew(folder, now, force=True).certificate
    found = certificates((folder / name).read_bytes())
    assert found[:2] == certificates(ROOT + pem(third))
    assert set(found[2:]) == set(certificates(pem(first, second)))
    (folder / name).write_bytes(ROOT + pem(first))
    ca.ensure(folder, now)
    assert certificates((folder / name).read_bytes()) == found


@posix
def test_a_bundle_stays_its_owner_s_only(folder: Path, now: float) -> None:
    ca.create(folder, now)
    (folder / "bundle.pem").write_bytes(ROOT)
    (folder / "bundle.pem").chmod(0o644)
    ca.renew(folder, now, force=True)
    assert stat.S_IMODE((folder / "bundle.pem").stat().st_mode) == 0o600


def test_a_bundle_that_is_a_link_becomes_a_file_and_its_target_stays(folder: Path, now: float, tmp_path: Path) -> None:
    """Nothing outside the folder is written."""
    ca.create(folder, now)
    target = tmp_path / "somebody else's.pem"
    target.write_bytes(ROOT)
    (folder / "bundle.pem").symlink_to(target)
    ca.renew(folder, now, force=True)
    assert target.read_bytes() == ROOT
    assert (folder / "bundle.pem").read_bytes() == ROOT + trusted_of(folder)


def test_when_the_key_leaked_nothing_old_is_trusted(folder: Path, now: float) -> None:
    """Not now and not after later renewals; the certificates are still told, for those who installed them."""
    first = ca.create(folder, now).certificate
    second = ca.renew(folder, now, force=True).certificate
    (folder / "bundle.pem").write_bytes(ROOT + trusted_of(folder))
    done = ca.renew(folder, now, leaked=True)
    assert (done.action, done.overlap) == (CaAction.RENEWED, False)
    assert trusted_of(folder) == pem(done.certificate)
    assert (folder / "bundle.pem").read_bytes() == ROOT + pem(done.certificate)
    assert {each for _, each in ca.kept(folder, now)} == {first, second}
    assert done.old is not None
    assert done.old.read_bytes() == pem(second)
    last = ca.renew(folder, now, force=True).certificate
    assert trusted_of(folder) == pem(last, done.certificate)


def test_a_leaked_one_in_the_copy_is_not_trusted_again(folder: Path, now: float) -> None:
    """As after a renewal that was cut off before its last file."""
    leaked = ca.create(folder, now).certificate
    new = ca.renew(folder, now, leaked=True).certificate
    (folder / CERTIFICATE_FILE).write_bytes(pem(leaked))
    assert ca.ensure(folder, now).action is CaAction.MENDED
    assert trusted_of(folder) == pem(new)


def test_a_damaged_one_can_be_renewed_as_leaked_and_nothing_cannot(folder: Path, now: float) -> None:
    with pytest.raises(CaMissing):
        ca.renew(folder, now, leaked=True)
    ca.create(folder, now)
    (folder / KEY_FILE).write_bytes(b"damaged")
    ca.renew(folder, now, leaked=True)
    assert ca.examine(folder, now).condition is CertificateCondition.USABLE


def test_a_wide_one_is_replaced_without_an_overlap(folder: Path, now: float) -> None:
    """In a bundle it is not taken for one of the system's roots either."""
    folder.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    wide = sign((x509.Name([]), key), "mitmproxy", key, now, x509.BasicConstraints(ca=True, path_length=0))
    (folder / KEY_FILE).write_bytes(plain(key) + pem(wide))
    (folder / CERTIFICATE_FILE).write_bytes(pem(wide))
    (folder / "bundle.pem").write_bytes(ROOT + pem(wide))
    done = ca.renew(folder, now, force=True)
    assert not done.overlap
    assert (folder / "bundle.pem").read_bytes() == ROOT + pem(done.certificate)
