"""The CA: what is made, what is found, when it is renewed, and that nothing is lost or shown on the way."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from filelock import FileLock

from certs import ca
from certs.ca import CERTIFICATE_FILE, KEY_FILE, Action, Condition
from certs.errors import CaBusy, CaMissing, CaThere, CaUnfit, CaUnreachable
from tests.certs.conftest import key_in, pem, plain, secrets_in, sign

DAY = 86_400.0
posix = pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != ".lock"}


# --- what is made ----------------------------------------------------------------------------------------------------


def test_it_can_vouch_for_the_provider_and_for_nothing_else(folder: Path, now: float) -> None:
    """The extensions, each with whether a client that does not know it must refuse the certificate."""
    made = ca.create(folder, now).certificate
    found = {type(each.value): each for each in made.extensions}
    names = found[x509.NameConstraints]
    assert names.critical
    assert ca.constraints(made) == (("chatgpt.com", "openai.com"), ("0.0.0.0/0", "::/0"))
    assert all(isinstance(name, x509.DNSName) for name in names.value.permitted_subtrees)
    basic = found[x509.BasicConstraints]
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    usage = found[x509.KeyUsage]
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.crl_sign) == (True, True)
    assert not usage.value.digital_signature
    assert list(found[x509.ExtendedKeyUsage].value) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_it_is_valid_for_a_year_and_from_the_day_before(folder: Path, now: float) -> None:
    """The day before is for clients whose clock is behind."""
    made = ca.create(folder, now).certificate
    assert made.not_valid_after_utc.timestamp() == now + 365 * DAY
    assert made.not_valid_before_utc.timestamp() == now - DAY
    assert ca.days_left(made, now) == 365


def test_no_two_have_the_same_name(tmp_path: Path, now: float) -> None:
    """In a list of trusted authorities it is clear whose each one is and which."""
    names = {ca.common_name(ca.create(tmp_path / name, now).certificate) for name in ("a", "b")}
    assert len(names) == 2
    assert all(name.startswith("codex-rotate CA ") for name in names)


def test_mitmproxy_s_files_and_no_other(folder: Path, now: float) -> None:
    """The key is in one file; what it holds first is the key, then the certificate."""
    done = ca.create(folder, now)
    assert set(contents(folder)) == {KEY_FILE, CERTIFICATE_FILE}
    assert done.certificate_file == folder / CERTIFICATE_FILE
    assert done.certificate_file.read_bytes() == pem(done.certificate)
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


# --- what is found ---------------------------------------------------------------------------------------------------


def test_a_new_one_is_usable(folder: Path, now: float) -> None:
    made = ca.create(folder, now).certificate
    assert ca.examine(folder, now) == ca.Found(condition=Condition.USABLE, certificate=made)


def test_looking_makes_nothing(folder: Path, now: float) -> None:
    assert ca.examine(folder, now).condition is Condition.MISSING
    assert not folder.exists()


def another_key(folder: Path) -> bytes:
    raw = (folder / KEY_FILE).read_bytes()
    return plain(ec.generate_private_key(ec.SECP256R1())) + raw[raw.index(b"-----BEGIN CERT") :]


def encrypted(folder: Path) -> bytes:
    key, raw = key_in(folder / KEY_FILE), (folder / KEY_FILE).read_bytes()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )
    return secret + raw[raw.index(b"-----BEGIN CERT") :]


DAMAGE = {
    "empty": lambda folder: b"",
    "not PEM": lambda folder: b"\xff\x00 no",
    "cut in the key": lambda folder: (folder / KEY_FILE).read_bytes()[:100],
    "cut in the certificate": lambda folder: (folder / KEY_FILE).read_bytes()[:-100],
    "only a key": lambda folder: plain(key_in(folder / KEY_FILE)),
    "only a certificate": lambda folder: (folder / CERTIFICATE_FILE).read_bytes(),
    "another key": another_key,
    "a passphrase": encrypted,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_key_file_is_named_and_only_force_replaces_it(folder: Path, now: float, damage) -> None:  # type: ignore[no-untyped-def]
    """Nothing happens by itself to what a person may still want to look at."""
    made = ca.create(folder, now).certificate
    secrets = secrets_in(folder / KEY_FILE)
    (folder / KEY_FILE).write_bytes(damage(folder))
    before = contents(folder)
    found = ca.examine(folder, now)
    assert found.condition is Condition.DAMAGED
    assert str(folder / KEY_FILE) in found.trouble
    assert "renew --force" in found.trouble
    for attempt in (ca.renew, ca.ensure):
        with pytest.raises(CaUnfit) as said:
            attempt(folder, now)
        assert not [line for line in secrets if line in str(said.value)]
    assert contents(folder) == before
    done = ca.renew(folder, now, force=True)
    assert ca.examine(folder, now).condition is Condition.USABLE
    assert done.old is not None
    assert done.old.read_bytes() == pem(made)


def test_a_certificate_without_its_key_is_not_taken_for_nothing(folder: Path, now: float) -> None:
    """mitmproxy would quietly make an authority for the whole internet there."""
    ca.create(folder, now)
    (folder / KEY_FILE).unlink()
    assert ca.examine(folder, now).condition is Condition.DAMAGED
    with pytest.raises(CaUnfit, match="gone"):
        ca.ensure(folder, now)


CA = x509.BasicConstraints(ca=True, path_length=0)


@pytest.mark.parametrize(
    "extensions",
    [
        (),
        (CA,),
        (CA, x509.NameConstraints([x509.DNSName("chatgpt.com")], [x509.IPAddress(net) for net in ca.NO_ADDRESS])),
    ],
    ids=["nothing", "no names", "names that a client may ignore"],
)
def test_an_authority_for_everything_is_not_used(
    folder: Path, now: float, extensions: tuple[x509.ExtensionType, ...]
) -> None:
    """Such as one that mitmproxy made before: it is told apart, and replaced only on demand."""
    folder.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    wide = sign((x509.Name([]), key), "mitmproxy", key, now, *extensions)
    (folder / KEY_FILE).write_bytes(plain(key) + pem(wide))
    (folder / CERTIFICATE_FILE).write_bytes(pem(wide))
    assert ca.examine(folder, now).condition is Condition.UNCONSTRAINED
    with pytest.raises(CaUnfit, match="could vouch for other hosts"):
        ca.ensure(folder, now)
    assert ca.renew(folder, now, force=True).old is not None
    assert ca.examine(folder, now).condition is Condition.USABLE


def test_outside_its_time_it_is_not_usable(folder: Path, now: float) -> None:
    """Both ends: a clock that is wrong is not a reason to renew."""
    ca.create(folder, now)
    assert ca.examine(folder, now + 365 * DAY).condition is Condition.USABLE
    assert ca.examine(folder, now + 365 * DAY + 1).condition is Condition.EXPIRED
    assert ca.examine(folder, now - DAY - 1).condition is Condition.NOT_YET_VALID
    with pytest.raises(CaUnfit, match="clock"):
        ca.ensure(folder, now - DAY - 1)


@posix
def test_a_key_that_others_could_read_is_closed_and_that_is_said(folder: Path, now: float) -> None:
    """Once: the second look finds nothing to say."""
    ca.create(folder, now)
    folder.chmod(0o755)
    (folder / KEY_FILE).chmod(0o640)
    repairs = ca.examine(folder, now).repairs
    assert [str(path) in said for path, said in zip((folder, folder / KEY_FILE), repairs, strict=True)] == [True, True]
    assert "0640" in repairs[1]
    assert "renew --force" in repairs[1]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert ca.examine(folder, now).repairs == ()


# --- renewing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "expected"), [(31 * DAY, False), (30 * DAY + 1, False), (30 * DAY, True), (-1, True)])
def test_it_is_due_thirty_days_before_the_end(folder: Path, now: float, left: float, *, expected: bool) -> None:
    made = ca.create(folder, now).certificate
    assert ca.due(made, made.not_valid_after_utc.timestamp() - left) is expected


def test_nothing_is_renewed_before_it_is_due(folder: Path, now: float) -> None:
    made = ca.create(folder, now).certificate
    before = contents(folder)
    assert ca.renew(folder, now) == ca.Done(action=Action.NOTHING, folder=folder, certificate=made)
    assert contents(folder) == before


@pytest.mark.parametrize("later", [340 * DAY, 400 * DAY], ids=["due", "expired"])
def test_renewing_makes_a_new_key_and_keeps_the_old_certificate(folder: Path, now: float, later: float) -> None:
    """The old one without its key: nobody can sign with it any more."""
    made = ca.create(folder, now).certificate
    secrets = secrets_in(folder / KEY_FILE)
    done = ca.renew(folder, now + later)
    assert done.action is Action.RENEWED
    assert done.certificate.public_key() != made.public_key()
    assert done.certificate.subject != made.subject
    assert done.old is not None
    assert done.old.read_bytes() == pem(made)
    everything = b"".join(contents(folder).values()).decode()
    assert secrets
    assert not [line for line in secrets if line in everything]
    assert ca.examine(folder, now + later).certificate == done.certificate


def test_those_replaced_before_their_end_are_told(folder: Path, now: float) -> None:
    """Somebody may still trust them; once they have expired that does no harm."""
    first = ca.create(folder, now).certificate
    second = ca.renew(folder, now + DAY, force=True).certificate
    ca.renew(folder, now + 2 * DAY, force=True)
    assert {each for _, each in ca.kept(folder, now + 3 * DAY)} == {first, second}
    assert [each for _, each in ca.kept(folder, now + 365 * DAY + 1)] == [second]


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
    assert (found.condition, found.certificate) == (Condition.COPY_DIFFERS, made)
    assert str(copy) in found.trouble
    assert ca.renew(folder, now).action is Action.MENDED
    assert copy.read_bytes() == pem(made)


def test_a_renewal_that_was_cut_off_is_finished(folder: Path, now: float) -> None:
    """The key file is new, the copy still the old one: the next start ends it, and loses neither certificate."""
    old = ca.create(folder, now).certificate
    new = ca.renew(folder, now, force=True).certificate
    for file in folder.glob("old-*"):
        file.unlink()
    (folder / CERTIFICATE_FILE).write_bytes(pem(old))
    done = ca.ensure(folder, now)
    assert (done.action, done.certificate) == (Action.MENDED, new)
    assert done.old is not None
    assert done.old.read_bytes() == pem(old)


# --- what starts a proxy ---------------------------------------------------------------------------------------------


def test_ensure_does_what_is_needed_and_says_so(folder: Path, now: float) -> None:
    actions = [ca.ensure(folder, now + days * DAY).action for days in (0, 1, 334, 335, 336, 336 + 400)]
    assert actions == [
        Action.CREATED,
        Action.NOTHING,
        Action.NOTHING,
        Action.RENEWED,
        Action.NOTHING,
        Action.RENEWED,
    ]


def test_two_that_start_at_once_get_the_same_one(folder: Path, now: float) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: ca.ensure(folder, now), range(16)))
    assert len({ca.fingerprint(each.certificate) for each in done}) == 1
    assert [each.action for each in done].count(Action.CREATED) == 1
    assert ca.examine(folder, now).condition is Condition.USABLE


# --- troubles --------------------------------------------------------------------------------------------------------


def test_a_process_that_hangs_does_not_hang_the_others(
    folder: Path, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ca, "LOCK_SECONDS", 0.05)
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"), pytest.raises(CaBusy):
        ca.ensure(folder, now)
    assert contents(folder) == {}


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
