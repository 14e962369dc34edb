"""The pool's values are frozen and keep their secrets to themselves."""

from dataclasses import FrozenInstanceError, fields

import pytest

from accounts.model import Account, Affinity, Cooldown, Credentials, Event, masked


def test_a_seat_is_named_by_both_ids() -> None:
    """Team seats share the account id, one user may have two: only together they are one seat."""
    seats = [Account(account_id=a, user_id=u, label="x") for a in "ab" for u in "cd"]
    assert [seat.key for seat in seats] == ["a:c", "a:d", "b:c", "b:d"]


def test_tokens_are_not_in_repr() -> None:
    """A log line or a traceback with credentials in it shows no token."""
    shown = repr(Credentials(access="access-secret", refresh="refresh-secret", id_token="id-secret", expires_at=5))
    assert "secret" not in shown
    assert "expires_at=5" in shown


@pytest.mark.parametrize(
    "value",
    [
        Account(account_id="a", user_id="u", label="l"),
        Credentials(access="a", refresh="r"),
        Cooldown(until=1, reason="x"),
        Affinity(thread="t", key="a:u", used_at=1),
        Event(at=1, kind="x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_frozen(value: object) -> None:
    """State changes by replacing a value, never by changing one that somebody else holds."""
    name = fields(value)[0].name  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, "other")


@pytest.mark.parametrize(("token", "shown"), [("", "…"), ("short", "…"), ("x" * 16, "…"), ("x" * 16 + "abcd", "…abcd")])
def test_masked(token: str, shown: str) -> None:
    """Enough to tell two tokens apart, too little to use; a short one shows nothing."""
    assert masked(token) == shown
