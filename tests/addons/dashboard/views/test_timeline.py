"""The last hours as lanes, and the reason of each rotation."""

from accounts.choice.decision_record import AttemptRow
from accounts.views.timeline import AccountTimeline, Rotation, ServingSpan, Timeline
from addons.dashboard.views.timeline import CHOICES, TimelineSeen, timeline_view
from tests.builders import HOUR, NOW

ROTATION = Rotation(
    at=NOW - 600,
    left="ann",
    taken="bob",
    thread="x",
    person="kim",
    kind="usage_limit",
    said="429 usage_limit_reached",
    why="strategy balanced",
    asked=(AttemptRow("ann", "it lives here", "usage_limit", "429", 0.6),),
    seconds=0.6,
    cold=9_000,
)


def seen(*accounts: AccountTimeline, rotations: tuple[Rotation, ...] = ()) -> TimelineSeen:
    return TimelineSeen(told=Timeline(since=NOW - 6 * HOUR, until=NOW, accounts=accounts, rotations=rotations))


def test_a_rotation_says_what_upstream_said_who_was_asked_and_what_it_cost() -> None:
    lane = AccountTimeline(
        account="ann", spans=(ServingSpan(began=NOW - 900, ended=NOW - 600, turns=3),), rotations=(ROTATION,)
    )
    text = timeline_view(seen(lane, rotations=(ROTATION,)), 6)
    for words in (
        "429 usage_limit_reached",
        "strategy balanced",
        "it lives here",
        "0.6 s until that was known",
        "9k tokens",
        "kim",
    ):
        assert words in text
    assert 'href="#r0"' in text
    assert "3 turns" in text


def test_accounts_that_served_nobody_are_counted() -> None:
    text = timeline_view(
        seen(
            AccountTimeline(account="ann", rotations=(ROTATION,)), AccountTimeline(account="zoe"), rotations=(ROTATION,)
        ),
        6,
    )
    assert "1 more account served nobody." in text
    assert "zoe" not in text


def test_a_quiet_time_and_how_far_back_to_look() -> None:
    text = timeline_view(seen(AccountTimeline(account="ann")), 24)
    assert "Nothing was served" in text
    assert all(f"/timeline?hours={each}" in text for each in CHOICES)
    assert text.count('aria-current="true"') == 1
