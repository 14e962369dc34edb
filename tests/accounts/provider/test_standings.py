"""Which words mark an account: those that the table of outcomes has for it, and those that end a refresh token."""

import pytest

from accounts.choice.outcomes import Kind, Outcome, Reply
from accounts.provider.standings import reason_of, word_for, words_for


def test_the_words_are_those_of_the_table() -> None:
    assert {"deactivated_workspace", "workspace_deactivated", "account_deactivated"} <= words_for(Kind.DEACTIVATED)
    assert {"token_invalidated", "token_revoked"} <= words_for(Kind.TOKEN_INVALIDATED)
    assert not words_for(Kind.OK)


def test_a_status_is_no_word() -> None:
    closed = {"code": "deactivated_workspace", "type": "invalid_request_error"}
    assert word_for(Kind.DEACTIVATED, Reply(status=402, error=closed)) == "deactivated_workspace"
    assert word_for(Kind.DEACTIVATED, Reply(status=402)) == ""
    assert word_for(Kind.TOKEN_INVALIDATED, Reply(status=401, error={"code": "token_expired"})) == ""


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        ("401 invalid_request_error token_invalidated", "token_invalidated"),
        ("403 account_deactivated", "account_deactivated"),
        ("401 refresh_token_reused", "refresh_token_reused"),
        ("the provider said invalid_grant", "invalid_grant"),
        ("402", ""),
        ("", ""),
    ],
)
def test_the_reason_of_a_mark_is_the_word_in_its_outcome(detail: str, reason: str) -> None:
    assert reason_of(Outcome(kind=Kind.TOKEN_INVALIDATED, detail=detail)) == reason
