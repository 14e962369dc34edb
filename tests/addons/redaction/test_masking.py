"""What looks like a secret is masked, what is around it stays, and what is masked already is left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from addons.redaction.masking import FEW, Span, masked, masked_text, replaced
from addons.redaction.patterns import IN_REPORTS, IN_VIEWS, RULES, SecretPattern
from tests.rows import all_rows

JWT = "eyJhbGciOiJSUzI1NiJ9" + ".eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl"  # in two: no token may be in the repository
KEY = "sk-proj-Abcdefghijkl_mnop"


@all_rows(
    ("said", "shown"),
    [
        ("mail jane.doe+x@mail.example.com.", "mail [e-mail]."),
        ("<jürgen@example.org>", "<[e-mail]>"),
        ("?email=jane%40example.com&x=1", "?email=[e-mail]&x=1"),
        (f"the token {JWT} of", "the token [token] of"),
        (f'"{JWT}"', '"[token]"'),
        (f"key: {KEY}", "key: [token]"),
        ("rt_abcdefghijklmno", "[token]"),
        ("Bearer abc.DEF-123", "Bearer [token]"),
        ("bearer%20abcDEF123", "bearer%20[token]"),
        ("Authorization: Basic dXNlcjpwYXNz1g==", "Authorization: Basic [token]"),
        ('{"access_token":"opaque-1"}', '{"access_token":"[secret]"}'),
        ('{"refresh_token": "abcdefghijklmnopqrstuvwxyz"}', '{"refresh_token": "[secret]"}'),
        ('{\\"client_secret\\": \\"s3cret\\"}', '{\\"client_secret\\": \\"[secret]\\"}'),
        ("OPENAI_API_KEY='abc123'", "OPENAI_API_KEY='[secret]'"),
        ("?api-key=abc123&b=2", "?api-key=[secret]&b=2"),
        ('"password": "correct-horse"', '"password": "[secret]"'),
        ("-H 'cookie: a=b; __cf_bm=x'", "-H 'cookie: [secret]'"),
        ("Set-Cookie: session=xyz; path=/\r\nx: y", "Set-Cookie: [secret]\r\nx: y"),
        ('"chatgpt_account_id": "5f0c2a1e-aaaa"', '"chatgpt_account_id": "[account id]"'),
        ("user-AbCdEfGhIjKlMnOpQrSt", "[account id]"),
        ('"x-openai-account-id":"acct_123"', '"x-openai-account-id":"[account id]"'),
    ],
)
def test_what_looks_like_a_secret_is_masked(said: str, shown: str) -> None:
    assert masked(said.encode()).decode() == shown


@all_rows(
    "said",
    [
        '{"input_tokens": 12345, "output_tokens_details": {"reasoning_tokens": 1000}}',
        "token = next(tokens)",
        "access_token: string",
        "def authorization(self) -> str:",
        "@app.route('/x')",
        "a basic understanding of it",
        "the bearer of this letter",
        "mask-abcdefghijklmnopqr",
        "react@18.2.0",
        "eyJ",
        "user_id: UUID",
        "passwd -l",
        "",
    ],
)
def test_what_only_resembles_one_stays(said: str) -> None:
    data = said.encode()
    assert masked(data) is data


@pytest.mark.parametrize("others", [0, FEW + 1])
def test_known_ids_are_masked_where_they_stand_as_words(others: int) -> None:
    ids = frozenset([b"acct-1-own", b"acct", *(b"acct-other-%d" % number for number in range(others))])
    assert masked(b"/accounts/acct-1-own/seats", ids) == b"/accounts/[account id]/seats"
    assert masked(b"state-acct-1-own-7 acct-1-own", ids) == b"state-[account id]-7 [account id]"
    for other in (b"acct-1-ownership", b"my_acct-1-owner", b"xacct-1-own", b"acct"):
        assert masked(other, ids) is other


def test_a_secret_within_another_is_masked_once() -> None:
    assert masked(f'{{"access_token": "{JWT}"}}'.encode()) == b'{"access_token": "[token]"}'


PIECES = [
    "@",
    "a@b.co",
    "%40",
    JWT,
    KEY,
    "token=",
    "token=a1b2",
    "cookie: x",
    "password:",
    '"',
    "\\",
    " ",
    "acct-1-own",
    "é",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join))
@settings(deadline=None)
def test_what_is_masked_stays_as_it_is(said: str) -> None:
    once = masked(said.encode(), frozenset({b"acct-1-own"}))
    assert masked(once, frozenset({b"acct-1-own"})) == once
    assert JWT.encode() not in once


@all_rows("rule", RULES, ids=lambda rule: rule.name)
def test_no_rule_takes_long_for_a_long_text(rule: SecretPattern) -> None:
    """Every repetition is bounded: a text takes as long as it is long."""
    word = rule.word or b"aB3_"
    for filler in (b"a", b"a.", b"%", b"\\", b" ", b'"', b"a@", b"=", b"-", word, word + b"=", word + b" "):
        assert masked(filler * 2_000 + word + filler * 2_000, classes=frozenset({rule.kind}))


@all_rows(
    ("said", "shown"),
    [
        ("via http://joe:hunter2@proxy.test:3128/", "via http://[secret]@proxy.test:3128/"),
        ("via socks5://joe@[::1]:1", "via socks5://[secret]@[::1]:1"),
        ("http%3A%2F%2Fjoe%3Apw%40proxy%3A1", "http%3A%2F%2F[secret]%40proxy%3A1"),
        ("http://joe:p@ss@proxy.test", "http://[secret]@proxy.test"),
        (f"http://joe:pw@{JWT}/", "http://[secret]@[token]/"),
    ],
)
def test_behind_a_user_and_a_password_the_host_stays(said: str, shown: str) -> None:
    assert masked(said.encode()).decode() == shown


def test_of_overlapping_spans_the_first_and_longest_is_shown_and_nothing_is_left() -> None:
    spans = [Span(2, 4, "inner", 4), Span(1, 5, "[outer]", 5), Span(4, 7, "late", 7), Span(8, 9, "[end]", 9)]
    assert replaced("0123456789", spans) == "0[outer]7[end]9"


@given(st.text())
def test_a_text_without_secrets_is_the_same_whatever_is_in_it(said: str) -> None:
    """Also what cannot be encoded."""
    text = "\ud800é" + said.replace("@", "")
    assert masked_text(text, IN_VIEWS) == text or any(word in text.lower() for word in ("://", "token", "passw"))


@given(st.text(max_size=20), st.text(max_size=20))
def test_in_text_as_in_bytes(before: str, after: str) -> None:
    said = f"{before} {JWT} {after}".encode("utf-8", "replace").decode()
    assert masked_text(said, IN_REPORTS) == masked(said.encode(), classes=IN_REPORTS).decode("utf-8", "replace")
