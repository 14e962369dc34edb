"""Only the provider's own words say that it has signed somebody out."""

import pytest

from accounts.tokens.endings import DEAD, Ending, in_words, is_providers


@pytest.mark.parametrize("word", sorted(DEAD))
def test_words_of_the_provider(word: str) -> None:
    assert is_providers(word)
    assert word in in_words(word)


@pytest.mark.parametrize("word", list(Ending))
def test_what_we_did_ourselves_is_not_said_to_be_the_provider_s(word: str) -> None:
    assert not is_providers(word)
    assert "provider" not in in_words(word)


def test_what_nobody_knows_is_not_told() -> None:
    assert (is_providers(""), in_words("")) == (False, "")
