"""The key file of a joined proxy: what is written is read back, and what is none is refused with a reason."""

import pytest

from config.join_file import BadJoinFile, Invitation, host_of, read, written
from tests.rows import all_rows

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\nBBBB==\n-----END CERTIFICATE-----\n"
KEY = "k" * 43
MADE = Invitation(host="pool.example", port=8118, name="ann", key=KEY, certificate=CERTIFICATE)
TEXT = written(MADE)


@all_rows("host", ["pool.example", "localhost", "127.0.0.1", "::1", "a", "xn--p-xfa.example"])
@all_rows("certificate", [CERTIFICATE, CERTIFICATE * 2])
def test_what_is_written_is_read_back(host: str, certificate: str) -> None:
    made = Invitation(host=host, port=65535, name="CI-runner_2", key=KEY, certificate=certificate)
    assert read(written(made).encode()) == made


@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text])
def test_an_editor_of_another_system_may_have_saved_it(change) -> None:
    assert read(change(TEXT).encode()) == MADE


def test_what_a_newer_one_says_beside_is_passed_over() -> None:
    assert read(TEXT.replace("version = 1\n", 'version = 1\nnews = "x"\n').encode()) == MADE


def test_neither_key_nor_certificate_is_in_a_repr() -> None:
    assert KEY not in repr(MADE)
    assert "AAAA" not in repr(MADE)


@all_rows("end", range(0, len(TEXT) - 5, 17))
def test_one_that_was_cut_short_is_refused(end: int) -> None:
    with pytest.raises(BadJoinFile):
        read(TEXT[:end].encode())


@all_rows(
    ("content", "why"),
    [
        (b"", "no key file of codex-rotate"),
        (b"\0\1\2\xff", "no key file of codex-rotate"),
        (b"x" * 100_000, "no key file of codex-rotate"),
        (b'{"product": "codex-rotate"}', "no key file of codex-rotate"),
        (b'product = "other"\nversion = 1\n', "no key file of codex-rotate"),
        (b"a = " + b"[" * 5000, "no key file of codex-rotate"),
        (TEXT.replace('"""', '"').encode(), "damaged or cut short"),
        (TEXT.replace("version = 1", "version = 2").encode(), "newer codex-rotate"),
        (TEXT.replace("version = 1", "version = true").encode(), "no version"),
        (TEXT.replace("version = 1", 'version = "1"').encode(), "no version"),
        (TEXT.replace("version = 1", "version = 0").encode(), "no version"),
        (TEXT.replace("pool.example:8118", "pool.example").encode(), "address"),
        (TEXT.replace("pool.example:8118", "pool.example:0").encode(), "address"),
        (TEXT.replace("pool.example:8118", "pool.example:99999").encode(), "address"),
        (TEXT.replace("pool.example:8118", "user@pool.example:8118").encode(), "address"),
        (TEXT.replace("pool.example:8118", "http://pool.example:8118").encode(), "address"),
        (TEXT.replace('name = "ann"', 'name = "a b"').encode(), "name"),
        (TEXT.replace('name = "ann"', "name = 5").encode(), "name"),
        (TEXT.replace(KEY, "short").encode(), "key"),
        (TEXT.replace(KEY, "k" * 40 + "@x:").encode(), "key"),
        (TEXT.replace(f'key = "{KEY}"\n', "").encode(), "no key"),
        (TEXT.replace("AAAA", "AA AA").encode(), "certificate"),
        (TEXT.replace("CERTIFICATE-----", "PRIVATE KEY-----").encode(), "private key"),
    ],
)
def test_what_is_none_is_refused_with_a_reason(content: bytes, why: str) -> None:
    """And nothing of it is repeated: it may hold the key."""
    with pytest.raises(BadJoinFile, match=why) as refused:
        read(content)
    assert KEY not in str(refused.value)


@all_rows("host", ["", "a b", "pool.example:1", "-a", "a-", "http://a", "a/b", "é", "[::1", "a" * 254])
def test_no_hosts(host: str) -> None:
    if host == "[::1":
        assert host_of(host) == "::1"  # brackets are only how it is written
        return
    with pytest.raises(ValueError, match="host"):
        host_of(host)
