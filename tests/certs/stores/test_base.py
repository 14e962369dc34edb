"""What is ours, found among everything that a store may hold."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certs import ca
from certs.errors import ToolFailed
from certs.stores.base import StoreChange, is_ours, ours_in, run
from certs.stores.linux import DISTRIBUTIONS
from tests.certs.conftest import pem, sign
from tests.certs.machines import FOREIGN_ROOT, fails, linux


def named(now: float, *names: tuple[x509.ObjectIdentifier, str]) -> x509.Certificate:
    """A certificate whose issuer can be anything; its subject is what tests look at."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = sign((x509.Name([]), key), "replaced below", key, now)
    builder = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(*name) for name in names]))
    builder = builder.issuer_name(x509.Name([])).public_key(key.public_key()).serial_number(made.serial_number)
    builder = builder.not_valid_before(made.not_valid_before_utc).not_valid_after(made.not_valid_after_utc)
    assert made.signature_hash_algorithm is not None
    return builder.sign(key, made.signature_hash_algorithm)


OURS, COMMON = (NameOID.ORGANIZATION_NAME, "codex-rotate"), NameOID.COMMON_NAME


@pytest.mark.parametrize(
    ("names", "ours"),
    [
        ([(COMMON, "codex-rotate CA 0123456789ab"), OURS], True),
        ([(COMMON, "codex-rotate CA 0123456789ab")], False),
        ([(COMMON, "codex-rotate CAs of another firm"), OURS], False),
        ([(COMMON, "my codex-rotate CA 0123456789ab"), OURS], False),
        ([(COMMON, "codex-rotate CA x"), (NameOID.ORGANIZATION_NAME, "codex-rotate Ltd")], False),
        ([(COMMON, "mitmproxy"), (NameOID.ORGANIZATION_NAME, "mitmproxy")], False),
        ([OURS], False),
        ([], False),
    ],
)
def test_ours_is_what_has_our_whole_name(
    now: float, names: list[tuple[x509.ObjectIdentifier, str]], *, ours: bool
) -> None:
    """Whatever is called otherwise is somebody else's, and is never touched."""
    certificate = named(now, *names)
    assert is_ours(certificate) is ours
    assert ours_in(pem(certificate)) == ([certificate] if ours else [])


def test_ours_is_found_in_a_bundle_that_is_partly_nonsense(folder: Path, now: float) -> None:
    """Remarks, CRLF, a certificate that is cut off, ours twice, and bytes that only mention our name."""
    made = ca.create(folder, now).certificate
    text = pem(made)
    mention = b"-----BEGIN CERTIFICATE-----\nY29kZXgtcm90YXRlIENBIA==\n-----END CERTIFICATE-----\n"
    found = ours_in(b"\xff# codex-rotate CA x\n" + FOREIGN_ROOT + mention + text.replace(b"\n", b"\r\n") + text)
    assert found == [made]
    assert ours_in(b"") == ours_in(b"CERTIFICATE") == []


def test_a_change_of_nothing_is_none(folder: Path, now: float) -> None:
    made = ca.create(folder, now).certificate
    assert not StoreChange()
    assert StoreChange(add=made)
    assert StoreChange(drop=(made,))


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (13, "no\n\n  really", "`tool 'a b'` failed with exit code 13 and said: no / really. Mend"),
        (None, "", "`tool 'a b'` did not end in time and said: nothing. Mend"),
        (1, "x" * 10_000, "said: " + "x" * 500 + ". Mend"),
    ],
)
def test_a_command_that_fails_is_shown_with_what_it_said(
    tmp_path: Path, code: int | None, said: str, expected: str
) -> None:
    """One line, whatever it said."""
    machine = linux(tmp_path, DISTRIBUTIONS[0], {"tool": fails(code, said)})
    with pytest.raises(ToolFailed) as failed:
        run(machine, ["tool", "a b"])
    assert expected in str(failed.value)
    assert "\n" not in str(failed.value)
