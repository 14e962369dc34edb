"""Somebody else's certificate is trusted only if it can vouch for the provider's hosts alone, and is valid now."""

from pathlib import Path

import pytest

from certs import ca, debug_ca
from certs.bundles import certificates
from certs.given import UnfitCertificate, checked

NOW = 1_800_000_000.0
YEAR = 365 * 86_400


@pytest.fixture
def narrow(tmp_path: Path) -> bytes:
    return ca.create(tmp_path / "ca", NOW).trusted_file.read_bytes()


def test_one_that_is_limited_to_the_provider_is_taken(narrow: bytes) -> None:
    assert certificates(checked(narrow, NOW)) == certificates(narrow)


def test_what_comes_with_it_is_left_out(narrow: bytes) -> None:
    """Keys and remarks; that is for whoever wrote them there."""
    found = checked(b"# hello\n" + narrow + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", NOW)
    assert b"PRIVATE" not in found
    assert b"hello" not in found


def test_of_a_renewed_one_both_are_taken_as_long_as_they_are_valid(tmp_path: Path, narrow: bytes) -> None:
    both = ca.renew(tmp_path / "ca", NOW + YEAR / 2, force=True).trusted_file.read_bytes()
    assert len(certificates(checked(both, NOW + YEAR / 2))) == 2
    assert len(certificates(checked(both, NOW + YEAR + 86_400))) == 1


def test_one_that_could_vouch_for_any_host_is_refused(tmp_path: Path, narrow: bytes) -> None:
    """Also beside one that could not."""
    wide = debug_ca.ensure(tmp_path / "debug", NOW).file.read_bytes()
    for given in (wide, narrow + wide, wide + narrow):
        with pytest.raises(UnfitCertificate, match="any host"):
            checked(given, NOW)


@pytest.mark.parametrize(("at", "why"), [(NOW + 2 * YEAR, "expired on"), (NOW - YEAR, "not valid before")])
def test_one_that_is_not_valid_now_is_refused(narrow: bytes, at: float, why: str) -> None:
    with pytest.raises(UnfitCertificate, match=why):
        checked(narrow, at)


@pytest.mark.parametrize("given", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(given: bytes) -> None:
    with pytest.raises(UnfitCertificate, match="cannot be read"):
        checked(given, NOW)
