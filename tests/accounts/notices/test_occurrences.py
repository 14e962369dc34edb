"""What has happened between two looks, and how often it is told."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from accounts.notices.conditions import Condition, ConditionName, FoundConditions
from accounts.notices.occurrences import (
    BACKOFF,
    CLAIM_SECONDS,
    DRY_SECONDS,
    MOST_WAITING,
    OVER_SECONDS,
    Occurrence,
    claimed,
    due,
    noted,
    tried,
)
from config.notify import NoticeKind
from tests.builders import NOW
from tests.rows import all_rows

ALL = frozenset(NoticeKind)
WAYS = ("command", "webhook")


def condition(kind: NoticeKind, subject: str = "", percent: int | None = None) -> Condition:
    return Condition(name=ConditionName(kind, subject), text=f"{kind} {subject}", percent=percent)


LOST = condition(NoticeKind.LOGIN_NEEDED, "a")
DRY = condition(NoticeKind.POOL_DRY)
BACK = condition(NoticeKind.POOL_BACK)
LEFT = {mark: condition(NoticeKind.POOL_LEFT, str(mark), mark) for mark in (20, 5)}


def look(*holding: Condition, unsure: Collection[Condition] = (), serves: bool | None = None) -> FoundConditions:
    serving = DRY not in holding if serves is None else serves
    return FoundConditions(
        holding=holding, unsure=frozenset(each.name for each in unsure), back=BACK if serving else None
    )


class Owner:
    """Looks at the pool, and is told by both ways at once unless these `fail`."""

    def __init__(self, wanted: Collection[NoticeKind] = ALL) -> None:
        self.known: tuple[Occurrence, ...] = ()
        self.wanted = wanted
        self.quiet = False
        self.failing: Sequence[str] = ()

    def sees(self, found: FoundConditions, after: float) -> list[str]:
        """What is told after a look, so many seconds after NOW."""
        now = NOW + after
        self.known, _ = noted(self.known, found, self.wanted, now)
        mine = [] if self.quiet else due(self.known, now)
        self.known = claimed(self.known, {each.id for each in mine}, now)
        reached = {each.id: set(WAYS) - set(self.failing) for each in mine}
        self.known, _ = tried(self.known, reached, WAYS, now)
        return [" ".join(filter(None, each.name)) for each in mine]


def test_an_occurrence_is_told_once_while_it_lasts() -> None:
    owner = Owner()
    assert owner.sees(look(LOST), 0) == ["login_needed a"]
    assert [owner.sees(look(LOST), after) for after in (5, 10, 86_400)] == [[], [], []]


def test_what_is_over_for_a_while_and_comes_again_is_another_one() -> None:
    owner = Owner()
    owner.sees(look(LOST), 0)
    first = owner.known[0].id
    for after in (5, 5 + OVER_SECONDS):
        owner.sees(look(), after)
    assert owner.known == ()
    assert owner.sees(look(LOST), 100) == ["login_needed a"]
    assert owner.known[0].id != first


def test_two_who_see_it_differently_for_a_moment_do_not_have_it_told_twice() -> None:
    """The proxies of one pool, of which one knows it sooner."""
    owner = Owner()
    told = [owner.sees(look(LOST) if number % 2 else look(), number * 5.0) for number in range(60)]
    assert [each for one in told for each in one] == ["login_needed a"]


def test_a_number_that_wavers_at_its_mark_is_no_news() -> None:
    owner = Owner()
    told = [
        owner.sees(look(LEFT[20]) if number % 30 == 0 else look(unsure=[LEFT[20]]), number * 5.0)
        for number in range(90)
    ]
    assert [each for one in told for each in one] == ["pool_left 20"]


@all_rows(
    ("holding", "expected"),
    [
        ([LEFT[20]], ["pool_left 20"]),
        ([LEFT[20], LEFT[5]], ["pool_left 5"]),
        ([LEFT[20], LEFT[5], DRY], ["pool_dry"]),
    ],
)
def test_of_several_marks_that_are_passed_at_once_the_lowest_is_told(
    holding: list[Condition], expected: list[str]
) -> None:
    assert Owner().sees(look(*holding), 0) == expected


def test_one_mark_after_the_other_is_told() -> None:
    owner = Owner()
    assert owner.sees(look(LEFT[20]), 0) == ["pool_left 20"]
    assert owner.sees(look(LEFT[20], LEFT[5]), 5) == ["pool_left 5"]


def test_marks_are_told_where_nobody_is_told_that_the_pool_is_dry() -> None:
    assert Owner(ALL - {NoticeKind.POOL_DRY}).sees(look(LEFT[5], DRY), 0) == ["pool_left 5"]


def test_a_pool_that_serves_again_is_told_after_one_that_was_told_to_be_dry() -> None:
    owner = Owner()
    assert owner.sees(look(), 0) == []
    assert owner.sees(look(DRY), 5) == ["pool_dry"]
    assert owner.sees(look(unsure=[DRY], serves=False), 10) == []
    assert owner.sees(look(), 20) == []
    assert owner.sees(look(), 20 + DRY_SECONDS) == ["pool_back"]
    assert [owner.sees(look(), after) for after in (60, 120)] == [[], []]
    assert owner.known == ()


def test_a_pool_that_is_dry_again_is_not_told_to_be_back() -> None:
    owner = Owner()
    owner.sees(look(DRY), 0)
    owner.quiet = True
    for after in (5, 5 + DRY_SECONDS):
        owner.sees(look(), after)
    assert [each.name.kind for each in owner.known] == [NoticeKind.POOL_BACK]
    owner.sees(look(DRY), 60)
    owner.quiet = False
    assert owner.sees(look(DRY), 65) == ["pool_dry"]


def test_only_what_is_wanted_is_told() -> None:
    owner = Owner({NoticeKind.POOL_BACK})
    assert owner.sees(look(DRY, LOST), 0) == []
    owner.sees(look(LOST), 5)
    assert owner.sees(look(LOST), 5 + DRY_SECONDS) == ["pool_back"]


def test_after_quiet_hours_what_still_holds_is_told_and_nothing_else() -> None:
    owner = Owner()
    owner.quiet = True
    assert owner.sees(look(LOST, DRY), 0) == []
    for after in (100, 100 + OVER_SECONDS):
        assert owner.sees(look(LOST), after) == []
    owner.quiet = False
    assert owner.sees(look(LOST), 300) == ["login_needed a"]


def test_an_attempt_that_failed_is_made_again_later_and_later_and_given_up() -> None:
    owner, at, tells = Owner(), 0.0, 0
    owner.failing = WAYS
    for wait in BACKOFF:
        tells += len(owner.sees(look(LOST), at))
        assert owner.sees(look(LOST), at + wait - 0.5) == []
        at += wait
    assert owner.sees(look(LOST), at) == ["login_needed a"]
    assert tells == len(BACKOFF)
    assert owner.known[0].settled
    assert owner.sees(look(LOST), at + 10 * BACKOFF[-1]) == []


def test_what_is_given_up_is_said() -> None:
    last = Occurrence(condition=LOST, since=NOW, tries=len(BACKOFF))
    after, given_up = tried([last], {last.id: ()}, WAYS, NOW)
    assert given_up == list(after)
    assert tried([last], {last.id: WAYS}, WAYS, NOW)[1] == []


def test_only_the_way_that_failed_is_tried_again() -> None:
    owner = Owner()
    owner.failing = ["webhook"]
    owner.sees(look(LOST), 0)
    assert owner.known[0].reached == ("command",)
    owner.failing = ["command"]
    assert owner.sees(look(LOST), BACKOFF[0]) == ["login_needed a"]
    assert owner.known[0].settled


def test_what_is_over_before_the_next_attempt_is_not_told() -> None:
    owner = Owner()
    owner.failing = WAYS
    owner.sees(look(LOST), 0)
    assert owner.sees(look(), BACKOFF[0]) == []


def test_what_another_proxy_tells_is_left_to_it_until_it_must_have_died() -> None:
    known, _ = noted((), look(LOST), ALL, NOW)
    known = claimed(known, {known[0].id}, NOW)
    assert due(known, NOW + CLAIM_SECONDS - 1) == []
    assert due(known, NOW + CLAIM_SECONDS) == list(known)


def test_who_was_a_moment_earlier_and_looks_later_leaves_it_to_the_other_as_well() -> None:
    """Both have asked for the time, and then one of them waited for the file."""
    known, _ = noted((), look(LOST), ALL, NOW)
    known = claimed(known, {known[0].id}, NOW + 0.5)
    assert due(known, NOW + 0.4) == []


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    ahead = NOW + 86_400
    known, _ = noted((), look(LOST), ALL, ahead)
    known = claimed(known, {known[0].id}, ahead)
    assert due(known, NOW) == list(known)
    waiting = (replace(known[0], claimed_until=0.0, next_at=ahead),)
    assert due(waiting, NOW) == list(waiting)
    gone = (replace(known[0], gone=ahead),)
    assert noted(noted(gone, look(), ALL, NOW)[0], look(), ALL, NOW + OVER_SECONDS)[0] == ()


def test_no_more_wait_than_there_is_room_for() -> None:
    many = [condition(NoticeKind.LOGIN_NEEDED, str(number)) for number in range(MOST_WAITING + 7)]
    known, dropped = noted((), look(*many), ALL, NOW)
    assert (dropped, len(due(known, NOW))) == (7, MOST_WAITING)
    assert noted(known, look(*many), ALL, NOW + 5) == (known, 0)


def test_a_look_that_brings_nothing_new_changes_nothing() -> None:
    """So that the file is not written every few seconds."""
    found = look(LOST, LEFT[20], unsure=[LEFT[5]])
    known, _ = noted((), found, ALL, NOW)
    assert noted(known, found, ALL, NOW + 5) == (known, 0)
