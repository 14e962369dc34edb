"""The way out to the provider: no answer is one error, and nothing secret is in it."""

import pytest

from accounts.provider.asking import get_over_http


def test_no_answer_is_an_oserror() -> None:
    """Without the address or a header in it."""
    with pytest.raises(OSError, match=r"^ConnectError$"):
        get_over_http("http://127.0.0.1:1/secret", {"authorization": "secret"})
