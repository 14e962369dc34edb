"""One certificate: what an authority of ours may do, how long, and under which name."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs import ca, certificate
from certs.bundles import certificates, is_ours
from certs.certificate import pair_in
from tests.certs.conftest import DAY, pem


def test_it_can_vouch_for_the_provider_and_for_nothing_else(folder: Path, now: float) -> None:
    """The extensions, each with whether a client that does not know it must refuse the certificate."""
    made = ca.create(folder, now).certificate
    found = {type(each.value): each for each in made.extensions}
    names = found[x509.NameConstraints]
    assert names.critical
    assert ca.constraints(made) == (("chatgpt.com",), ("0.0.0.0/0", "::/0"))
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


@pytest.mark.parametrize(("left", "expected"), [(31 * DAY, False), (30 * DAY + 1, False), (30 * DAY, True), (-1, True)])
def test_it_is_due_thirty_days_before_the_end(folder: Path, now: float, left: float, *, expected: bool) -> None:
    made = ca.create(folder, now).certificate
    assert ca.due(made, made.not_valid_after_utc.timestamp() - left) is expected


def test_it_is_known_as_ours_without_being_read(folder: Path, now: float) -> None:
    """What looks for our certificates among a system's roots looks for the bytes of our name."""
    (made,) = certificates(pem(ca.create(folder, now).certificate))
    assert is_ours(made)


def test_a_key_and_a_certificate_of_another_are_no_pair(tmp_path: Path, now: float) -> None:
    """And what cannot be read is neither."""
    one, other = (ca.create(tmp_path / name, now).folder / ca.KEY_FILE for name in ("a", "b"))
    key, certificate = one.read_bytes().partition(b"-----BEGIN CERT")[0], other.read_bytes()
    assert pair_in(one.read_bytes()) == (ca.examine(one.parent, now).certificate, True)
    mixed = pair_in(key + certificate[certificate.index(b"-----BEGIN CERT") :])
    assert mixed is not None
    assert mixed[1] is False
    assert pair_in(key) is None
    assert pair_in(b"") is None


def test_one_of_an_earlier_version_is_ours_still(folder: Path, now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could vouch for one domain more, and is not thrown away for it."""
    with monkeypatch.context() as earlier:
        earlier.setattr(certificate, "DOMAINS", ("chatgpt.com", "openai.com"))
        made = ca.create(folder, now).certificate
    assert certificate.is_narrow(made)
