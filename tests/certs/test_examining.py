"""What is found in the folder of the CA, and what clients are to trust of it."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certs import ca
from certs.ca import CERTIFICATE_FILE, KEY_FILE, TRUSTED_FILE, CertificateCondition
from certs.errors import CaUnfit
from certs.examining import trusted
from tests.certs.conftest import DAY, contents, key_in, pem, plain, secrets_in, sign


def test_a_new_one_is_usable(folder: Path, now: float) -> None:
    made = ca.create(folder, now).certificate
    assert ca.examine(folder, now) == ca.Examined(condition=CertificateCondition.USABLE, certificate=made)


def test_looking_makes_nothing(folder: Path, now: float) -> None:
    assert ca.examine(folder, now).condition is CertificateCondition.MISSING
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
    assert found.condition is CertificateCondition.DAMAGED
    assert str(folder / KEY_FILE) in found.trouble
    assert "renew --force" in found.trouble
    for attempt in (ca.renew, ca.ensure):
        with pytest.raises(CaUnfit) as said:
            attempt(folder, now)
        assert not [line for line in secrets if line in str(said.value)]
    assert contents(folder) == before
    done = ca.renew(folder, now, force=True)
    assert ca.examine(folder, now).condition is CertificateCondition.USABLE
    assert done.old is not None
    assert done.old.read_bytes() == pem(made)


def test_a_certificate_without_its_key_is_not_taken_for_nothing(folder: Path, now: float) -> None:
    """mitmproxy would quietly make an authority for the whole internet there."""
    ca.create(folder, now)
    (folder / KEY_FILE).unlink()
    assert ca.examine(folder, now).condition is CertificateCondition.DAMAGED
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
    assert ca.examine(folder, now).condition is CertificateCondition.UNCONSTRAINED
    with pytest.raises(CaUnfit, match="could vouch for other hosts"):
        ca.ensure(folder, now)
    assert ca.renew(folder, now, force=True).old is not None
    assert ca.examine(folder, now).condition is CertificateCondition.USABLE


def test_outside_its_time_it_is_not_usable(folder: Path, now: float) -> None:
    """Both ends: a clock that is wrong is not a reason to renew."""
    ca.create(folder, now)
    assert ca.examine(folder, now + 365 * DAY).condition is CertificateCondition.USABLE
    assert ca.examine(folder, now + 365 * DAY + 1).condition is CertificateCondition.EXPIRED
    assert ca.examine(folder, now - DAY - 1).condition is CertificateCondition.NOT_YET_VALID
    with pytest.raises(CaUnfit, match="clock"):
        ca.ensure(folder, now - DAY - 1)


def test_those_replaced_before_their_end_are_told(folder: Path, now: float) -> None:
    """Somebody may still trust them; once they have expired that does no harm."""
    first = ca.create(folder, now).certificate
    second = ca.renew(folder, now + DAY, force=True).certificate
    ca.renew(folder, now + 2 * DAY, force=True)
    assert {each for _, each in ca.kept(folder, now + 3 * DAY)} == {first, second}
    assert [each for _, each in ca.kept(folder, now + 365 * DAY + 1)] == [second]


# --- what clients are to trust ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"another", None], ids=["empty", "something else", "of an older one"])
def test_a_file_of_those_to_trust_without_the_present_one_is_told(
    folder: Path, now: float, content: bytes | None
) -> None:
    """A client that reads it would not get through."""
    ca.create(folder, now)
    other = pem(ca.create(folder.with_name("other"), now).certificate)
    (folder / TRUSTED_FILE).write_bytes(other if content is None else content)
    found = ca.examine(folder, now)
    assert found.condition is CertificateCondition.COPY_DIFFERS
    assert str(folder / TRUSTED_FILE) in found.trouble
    assert "codex-rotate ca renew" in found.trouble


def test_an_authority_of_an_older_version_has_no_such_file_and_is_usable(folder: Path, now: float) -> None:
    """The certificate alone stands for it until a proxy starts."""
    ca.create(folder, now)
    (folder / TRUSTED_FILE).unlink()
    assert ca.examine(folder, now).condition is CertificateCondition.USABLE


def test_the_present_one_is_first_and_each_is_there_once(folder: Path, now: float) -> None:
    """Also when it is among the old ones, as after a backup was put back."""
    first = ca.create(folder, now).certificate
    second = ca.renew(folder, now, force=True).certificate
    assert trusted(folder, second, now) == pem(second, first)
    assert trusted(folder, first, now) == pem(first)


def test_an_old_one_is_trusted_until_it_expires(folder: Path, now: float) -> None:
    first = ca.create(folder, now).certificate
    second = ca.renew(folder, now + DAY, force=True).certificate
    assert trusted(folder, second, now + 365 * DAY) == pem(second, first)
    assert trusted(folder, second, now + 365 * DAY + 1) == pem(second)


def test_a_wide_or_unreadable_old_one_is_never_trusted(folder: Path, now: float) -> None:
    """Whoever replaced mitmproxy's own authority by ours is not to go on trusting it."""
    made = ca.create(folder, now).certificate
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "old-0123456789abcdef.pem").write_bytes(pem(sign((x509.Name([]), key), "mitmproxy", key, now, CA)))
    (folder / "old-fedcba9876543210.pem").write_bytes(b"not PEM")
    assert trusted(folder, made, now) == pem(made)
