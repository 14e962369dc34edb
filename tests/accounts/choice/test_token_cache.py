"""Tokens in memory: one that was refused counts as at its end until there is a newer one."""

from accounts.choice.token_cache import TokenCache
from tests.builders import HOUR, NOW, credentials, planted

GOOD = credentials("a", expires_at=NOW + HOUR)
NEWER = credentials("new", expires_at=NOW + HOUR)


def test_a_refused_token_is_at_its_end_also_when_the_store_is_read_again() -> None:
    tokens = TokenCache()
    tokens.load({"a": GOOD})
    tokens.distrust("a")
    assert tokens.known["a"].expires_at == 0.0
    tokens.load({"a": GOOD})
    assert tokens.known["a"].expires_at == 0.0


def test_a_newer_token_is_trusted() -> None:
    tokens = TokenCache()
    tokens.load({"a": GOOD})
    tokens.distrust("a")
    tokens.load({"a": NEWER})
    assert tokens.known["a"] == NEWER
    tokens.renewed("a", GOOD)
    assert tokens.known["a"] == GOOD


def test_to_distrust_an_account_without_tokens_is_nothing() -> None:
    tokens = TokenCache()
    tokens.distrust("a")
    assert not tokens.known


def test_no_token_is_shown() -> None:
    tokens = TokenCache()
    tokens.load({"a": GOOD})
    assert not [secret for secret in planted([GOOD]) if secret in repr(tokens)]
