"""Where a failure is described: the usual places, and whatever else upstream has thought of."""

from typing import Any

import pytest

from accounts.choice.outcomes import tells
from accounts.provider.error_places import described


def deep(levels: int) -> dict[str, Any]:
    """A code below so many others."""
    found: dict[str, Any] = {"code": "slow_down"}
    for _ in range(levels):
        found = {"error": found}
    return found


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"error": {"type": "t"}}, {"type": "t"}),
        ({"detail": {"code": "c"}}, {"code": "c"}),
        ({"detail": "Unauthorized"}, {"message": "Unauthorized"}),
        ({"error": "invalid_grant"}, {"message": "invalid_grant"}),
        ({"type": "response.failed", "response": {"error": {"code": "c"}}}, {"code": "c"}),
        ({"response": {"error": None}}, {}),
        ({"code": "c", "message": "m"}, {"code": "c", "message": "m"}),
        ({"error": {"type": "t"}, "detail": "other"}, {"type": "t"}),
        ({"error": None, "detail": {"code": "c"}}, {"code": "c"}),
        *(
            (payload, {"code": "slow_down"})
            for payload in (
                *({"error": {"error": {"code": "slow_down"}}}, {"errors": [{"code": "slow_down"}]}),
                *([{"error": {"code": "slow_down"}}], {"detail": [{"code": "slow_down"}]}),
                *({"error": '{"error": {"code": "slow_down"}}'}, {"data": {"error": {"code": "slow_down"}}}),
                {"type": "response.failed", "response": {"status_details": {"error": {"code": "slow_down"}}}},
                {"type": "response.failed", "response": {"id": "r"}, "error": {"code": "slow_down"}},
            )
        ),
        ({"error": {"code": "c", "message": '{"code": "slow_down"}'}}, {"code": "slow_down"}),
        ({"error": {"code": "c"}, "detail": {"code": "slow_down"}}, {"code": "slow_down"}),
        ({"error": {"code": "c", "message": "slow_down"}}, {"code": "c", "message": "slow_down"}),
        ({"message": {"code": "slow_down"}}, {"code": "slow_down"}),
        ({"error": "slow_down"}, {"code": "slow_down", "message": "slow_down"}),
        ({"error": "Please slow_down"}, {"message": "Please slow_down"}),
        ({"error": {"code": "c"}, "resetsInSeconds": 9}, {"code": "c", "resets_in_seconds": 9}),
        ({"error": {"code": "c", "resets_at": 1}, "resets_at": 2}, {"code": "c", "resets_at": 1}),
        ({}, {}),
        ([], {}),
        (None, {}),
        ("text", {}),
    ],
)
def test_where_a_failure_is_described(payload: object, found: object) -> None:
    assert described(payload, tells) == found


@pytest.mark.parametrize(("levels", "told"), [(1, True), (4, True), (5, False), (500, False)])
def test_it_is_not_looked_for_without_end(levels: int, told: bool) -> None:
    assert tells(described(deep(levels), tells)) is told


@pytest.mark.parametrize(
    "payload",
    [{"errors": [{}] * 9 + [{"code": "slow_down"}]}, {"error": "{" * 20_000}, {"error": "[" * 9_000}, {"detail": "{x"}],
)
def test_nor_in_what_is_too_much_or_damaged(payload: dict[str, Any]) -> None:
    assert not tells(described(payload, tells))
