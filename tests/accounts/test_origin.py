"""Managed tokens go to the provider's own hosts, and nowhere else."""

import pytest

from accounts.origin import host_of
from tests.builders import account


@pytest.mark.parametrize(
    ("origin", "host"),
    [(None, "chatgpt.com"), ("https://chatgpt.com", "chatgpt.com"), ("https://gov.chatgpt.com", "gov.chatgpt.com")],
)
def test_an_account_without_an_origin_of_its_own_belongs_to_the_usual_one(origin: str | None, host: str) -> None:
    assert host_of(account("a", backend_origin=origin)) == host


@pytest.mark.parametrize(
    "origin",
    [
        "http://chatgpt.com",
        "chatgpt.com",
        "https://evil.example",
        "https://chatgpt.com.evil.example",
        "https://evilchatgpt.com",
        "https://a.b.chatgpt.com",
        "https://chatgpt.com:8443",
        "https://chatgpt.com/path",
        "https://user@chatgpt.com",
        "https://CHATGPT.com",
        "https://chatgpt.com\n",
        "",
    ],
)
def test_an_origin_that_is_not_the_providers_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="not one of the provider's hosts"):
        host_of(account("a", backend_origin=origin))
