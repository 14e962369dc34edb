"""The list of models is asked for where an account belongs, and nowhere else."""

from collections.abc import Mapping

import pytest

from accounts.provider.models import asks_for_models, models_url, read_models
from accounts.provider.usage import AccountFinding, ProviderAnswer, Verdict
from tests.builders import account as built
from tests.builders import credentials


def test_models_are_asked_for_where_the_account_belongs() -> None:
    """At its region's host; at the stand-in when the settings lead there; nowhere that is not the provider's."""
    home = "https://chatgpt.com/backend-api"
    assert models_url(home, built()).startswith("https://chatgpt.com/backend-api/codex/models?client_version=")
    there = built(backend_origin="https://eu.chatgpt.com")
    assert models_url(home, there).startswith("https://eu.chatgpt.com/backend-api/codex/models?")
    assert models_url("http://127.0.0.1:1/x/", there).startswith("http://127.0.0.1:1/x/codex/models?")

    def get(url: str, headers: Mapping[str, str]) -> ProviderAnswer:
        raise AssertionError("a token must not go there")

    foreign = built(backend_origin="https://example.com")
    finding = asks_for_models(home, get)(foreign, credentials(), AccountFinding(verdict=Verdict.USABLE))
    assert finding.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (ProviderAnswer(status=200, body=b'{"models": []}'), False),
        (ProviderAnswer(status=200, body=b"{}"), True),
        (ProviderAnswer(status=200, body=b"<html>"), True),
        (ProviderAnswer(status=200, body=b"[" * 100_000), True),
        (ProviderAnswer(status=404), True),
    ],
)
def test_what_counts_as_a_list_of_models(answer: ProviderAnswer, wrong: bool) -> None:
    assert bool(read_models(answer)) is wrong
