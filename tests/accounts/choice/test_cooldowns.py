"""Which of two rests counts."""

from accounts.choice.cooldowns import replaces, resting
from accounts.choice.outcomes import Kind, Rest
from accounts.model import Cooldown
from tests.builders import NOW
from tests.rows import all_rows


def rest(seconds: float, kind: str = Kind.USAGE_LIMIT) -> Cooldown:
    return Cooldown(until=NOW + seconds, reason=kind, since=NOW)


@all_rows(
    ("cooldown", "expected"),
    [
        (None, Rest.NONE),
        (rest(-1), Rest.NONE),
        (rest(0), Rest.NONE),
        (rest(1), Rest.HARD),
        (rest(1, Kind.OVERLOADED), Rest.SOFT),
        (rest(1, "a reason of a newer version"), Rest.HARD),
    ],
)
def test_a_rest_is_over_at_its_end_and_as_firm_as_its_reason(cooldown: Cooldown | None, expected: Rest) -> None:
    assert resting(cooldown, NOW) is expected


@all_rows(
    ("old", "new", "taken"),
    [
        (None, rest(60), True),
        (rest(60), rest(61), True),
        (rest(60), rest(60), False),
        (rest(60), rest(59), False),
        (rest(60), rest(900, Kind.RESET), False),
        (rest(900, Kind.RESET), rest(60), True),
        (rest(900, Kind.RESET), rest(60, Kind.OVERLOADED), False),
        (rest(-60), rest(1, Kind.RESET), True),
    ],
)
def test_the_firmer_rest_counts_and_of_two_alike_the_longer(old: Cooldown | None, new: Cooldown, taken: bool) -> None:
    assert replaces(new, old, NOW) is taken
