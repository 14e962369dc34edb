"""The token of the page is its owner's, stays, and makes codes that nobody else can make."""

import os
import stat

import pytest

from config.page.token import CODE_SECONDS, known_token, new_code, own_token, read_code, token_file
from tests.builders import NOW


def test_the_token_is_made_once_for_its_owner_only() -> None:
    assert known_token() == ""
    token = own_token()
    assert len(token) > 30
    assert own_token() == known_token() == token
    if os.name == "posix":
        assert stat.S_IMODE(token_file().stat().st_mode) == 0o600


def test_a_code_says_until_when_it_is_good() -> None:
    code = read_code("token", new_code("token", NOW))
    assert code is not None
    assert code.ends == NOW + CODE_SECONDS
    assert len(code.nonce) == 16


@pytest.mark.parametrize(
    "change", [lambda code: code[:-1] + "x", lambda code: code.replace("once", "ever"), lambda _: ""]
)
def test_what_was_not_made_with_the_token_is_no_code(change: object) -> None:
    assert callable(change)
    assert read_code("token", change(new_code("token", NOW))) is None
    assert read_code("another", new_code("token", NOW)) is None
