"""What an account cannot read is found out by asking, and left out from then on."""

import json
from typing import Any

import pytest

from accounts.requests.foreign_reasoning import MOST_THREADS, ReadingContext, Unsealing

type Item = dict[str, Any]

USER: Item = {"type": "message", "role": "user", "content": "hi"}


def reasoning(seal: str) -> Item:
    return {"type": "reasoning", "summary": [], "encrypted_content": f"gAAAA-{seal}"}


def summary(seal: str) -> Item:
    return {"type": "compaction", "encrypted_content": f"gAAAA-{seal}"}


def request(*items: Item) -> bytes:
    return json.dumps({"model": "m", "input": [USER, *items], "store": False}, separators=(",", ":")).encode()


def reader(thread: str = "t", workspace: str = "here", before: str = "") -> ReadingContext:
    return ReadingContext(thread=thread, workspace=workspace, before=before)


MOVED = reader(before="there")
OLD, OLDER, NEW, SUMMARY = reasoning("old"), reasoning("older"), reasoning("new"), summary("sum")


@pytest.fixture
def unsealing() -> Unsealing:
    return Unsealing()


# --- an answer of two accounts ----------------------------------------------------------------------------------------


def test_reasoning_of_the_first_part_is_left_out_without_a_refusal(unsealing: Unsealing) -> None:
    unsealing.came_from_elsewhere([json.dumps(OLD)], MOVED)
    assert unsealing.concerns(reader())
    assert unsealing.readable(request(OLD, NEW), reader()) == request(NEW)
    assert unsealing.readable(request(OLD, NEW), reader(workspace="there")) == request(OLD, NEW)
    assert unsealing.readable(request(OLD, NEW), reader(thread="u")) == request(OLD, NEW)


def test_it_says_nothing_about_reasoning_from_before(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLDER), MOVED, compactions=False)
    moved_again = reader(thread="u", before="there")
    unsealing.came_from_elsewhere([json.dumps(OLD)], moved_again)
    assert unsealing.readable(request(OLDER, OLD), moved_again) == request()


def test_each_part_of_an_answer_is_remembered(unsealing: Unsealing) -> None:
    for each in (OLD, OLDER):
        unsealing.came_from_elsewhere([json.dumps(each)], reader())
    assert unsealing.readable(request(OLD, OLDER, NEW), reader()) == request(NEW)


@pytest.mark.parametrize("items", [[], [json.dumps(USER)], ["{"]])
def test_what_seals_nothing_changes_nothing(unsealing: Unsealing, items: list[str]) -> None:
    unsealing.came_from_elsewhere(items, reader())
    assert not unsealing.concerns(reader())


def test_so_many_answers_are_remembered_and_no_more(unsealing: Unsealing) -> None:
    for number in range(MOST_THREADS + 1):
        unsealing.came_from_elsewhere([json.dumps(OLD)], reader(thread=str(number)))
    assert not unsealing.concerns(reader(thread="0"))
    assert unsealing.concerns(reader(thread="1"))


# --- asking first ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [reader(), MOVED, reader(thread="")])
def test_a_history_goes_unchanged_until_something_is_known_against_it(
    unsealing: Unsealing, who: ReadingContext
) -> None:
    body = request(OLD, SUMMARY)
    assert not unsealing.concerns(who)
    assert unsealing.readable(body, who) is body


def test_what_was_refused_is_left_out_from_then_on(unsealing: Unsealing) -> None:
    assert unsealing.refused(request(OLD, OLDER), MOVED, compactions=False) == 2
    assert unsealing.concerns(MOVED)
    assert unsealing.readable(request(OLD, OLDER), MOVED) == request()


def test_what_comes_later_on_the_same_account_stays(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLD), MOVED, compactions=False)
    assert unsealing.readable(request(OLD, NEW), MOVED) == request(NEW)
    later = request(NEW)
    assert unsealing.readable(later, MOVED) is later


def test_a_second_refusal_of_the_same_things_leaves_nothing_more_out(unsealing: Unsealing) -> None:
    body = request(OLD)
    assert [unsealing.refused(body, MOVED, compactions=False) for _ in range(2)] == [1, 0]


def test_a_second_refusal_counts_only_what_was_not_known(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLD), MOVED, compactions=False)
    assert unsealing.refused(request(OLD, NEW), MOVED, compactions=False) == 1
    assert unsealing.readable(request(OLD, NEW), MOVED) == request()


@pytest.mark.parametrize("body", [request(), b"", b"not json", b'{"input": "hi"}'])
def test_a_refusal_of_what_has_nothing_sealed_in_it_leaves_nothing_out(unsealing: Unsealing, body: bytes) -> None:
    assert unsealing.refused(body, MOVED, compactions=True) == 0
    assert not unsealing.concerns(MOVED)


# --- summaries -------------------------------------------------------------------------------------------------------


def test_a_summary_is_left_out_only_when_the_owner_of_the_pool_says_so(unsealing: Unsealing) -> None:
    body = request(SUMMARY)
    assert unsealing.refused(body, MOVED, compactions=False) == 0
    assert unsealing.readable(body, MOVED) is body
    assert unsealing.refused(body, MOVED, compactions=True) == 1
    assert unsealing.readable(body, MOVED) == request()


def test_a_summary_stays_beside_reasoning_that_goes(unsealing: Unsealing) -> None:
    assert unsealing.refused(request(SUMMARY, OLD), MOVED, compactions=False) == 1
    assert unsealing.readable(request(SUMMARY, OLD), MOVED) == request(SUMMARY)


def test_a_summary_may_go_after_reasoning_has_gone(unsealing: Unsealing) -> None:
    body = request(SUMMARY, OLD)
    assert [unsealing.refused(body, MOVED, compactions=drop) for drop in (False, True, True)] == [1, 1, 0]
    assert unsealing.readable(body, MOVED) == request()


# --- per thread and workspace ----------------------------------------------------------------------------------------


def test_what_is_known_is_known_of_one_thread_on_one_workspace(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLD), reader(), compactions=False)
    assert [unsealing.concerns(who) for who in (reader(), reader(thread="u"), reader(workspace="there"))] == [
        True,
        False,
        False,
    ]
    body = request(OLD)
    assert unsealing.readable(body, reader(workspace="there")) is body
    assert unsealing.readable(body, reader(thread="u")) is body


def test_a_request_without_a_thread_has_nothing_to_be_remembered_by(unsealing: Unsealing) -> None:
    nameless = reader(thread="", before="there")
    assert unsealing.refused(request(OLD), nameless, compactions=True) == 0
    unsealing.refused(request(OLD), MOVED, compactions=False)
    body = request(OLD)
    assert not unsealing.concerns(nameless)
    assert unsealing.readable(body, nameless) is body


# --- per pair of workspaces ------------------------------------------------------------------------------------------


def test_the_next_thread_that_moves_the_same_way_does_not_pay_for_it(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLD), MOVED, compactions=False)
    another = reader(thread="u", before="there")
    assert unsealing.concerns(another)
    assert unsealing.readable(request(OLDER, SUMMARY), another) == request(SUMMARY)
    assert unsealing.readable(request(OLDER, SUMMARY, NEW), another) == request(SUMMARY, NEW), "sealed here since"


def test_what_a_thread_took_along_is_known_after_it_has_settled(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLD), MOVED, compactions=False)
    unsealing.readable(request(OLDER), reader(thread="u", before="there"))
    assert unsealing.readable(request(OLDER, NEW), reader(thread="u")) == request(NEW)


@pytest.mark.parametrize(
    "other",
    [
        reader(thread="u"),
        reader(thread="u", workspace="there", before="here"),
        reader(thread="u", before="elsewhere"),
        reader(thread="u", workspace="elsewhere", before="there"),
    ],
    ids=["a thread that did not move", "the way back", "from another one", "to another one"],
)
def test_it_is_known_of_this_pair_and_of_this_direction_alone(unsealing: Unsealing, other: ReadingContext) -> None:
    unsealing.refused(request(OLD), MOVED, compactions=False)
    body = request(OLDER)
    assert not unsealing.concerns(other)
    assert unsealing.readable(body, other) is body


def test_a_refusal_at_home_says_nothing_of_any_pair(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLD), reader(), compactions=False)
    assert not unsealing.concerns(reader(thread="u", before="there"))


def test_a_summary_that_cannot_be_read_says_nothing_of_the_pair(unsealing: Unsealing) -> None:
    unsealing.refused(request(SUMMARY), MOVED, compactions=True)
    assert not unsealing.concerns(reader(thread="u", before="there"))


def test_a_warm_up_without_a_history_is_not_what_the_thread_took_along(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLD), MOVED, compactions=False)
    another = reader(thread="u", before="there")
    empty = request()
    assert unsealing.readable(empty, another) is empty
    assert unsealing.readable(request(OLDER), another) == request()


def test_what_this_workspace_has_sealed_itself_stays(unsealing: Unsealing) -> None:
    """A thread whose history had nothing sealed in it when it came: its first reasoning is this workspace's own."""
    unsealing.refused(request(OLD), MOVED, compactions=False)
    another = reader(thread="u", before="there")
    unsealing.readable(request(), another)
    unsealing.settled(another)
    body = request(NEW)
    assert unsealing.readable(body, another) is body


def test_settling_forgets_nothing_that_is_known(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLD), MOVED, compactions=False)
    unsealing.settled(MOVED)
    assert unsealing.readable(request(OLD, NEW), MOVED) == request(NEW)


@pytest.mark.parametrize("who", [reader(), MOVED, reader(thread="", before="there")])
def test_settling_where_nothing_is_known_is_nothing(unsealing: Unsealing, who: ReadingContext) -> None:
    unsealing.settled(who)
    assert not unsealing.concerns(who)
    unsealing.refused(request(OLD), reader(thread="u", before="there"), compactions=False)
    assert unsealing.concerns(who) is (who == MOVED)


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_the_thread_not_spoken_of_longest_makes_room(unsealing: Unsealing) -> None:
    assert MOST_THREADS == 1_000
    for number in range(MOST_THREADS):
        unsealing.refused(request(OLD), reader(thread=f"{number}"), compactions=False)
    unsealing.refused(request(NEW), reader(thread="0"), compactions=False)
    unsealing.refused(request(OLD), reader(thread="new"), compactions=False)
    assert len(unsealing._unreadable) == MOST_THREADS
    assert [unsealing.concerns(reader(thread=each)) for each in ("0", "1", "2", "new")] == [True, False, True, True]


def test_threads_that_only_settle_are_bounded_as_well(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLD), MOVED, compactions=False)
    for number in range(MOST_THREADS):
        unsealing.settled(reader(thread=f"{number}", before="there"))
    assert len(unsealing._unreadable) == MOST_THREADS


def test_no_content_is_kept(unsealing: Unsealing) -> None:
    unsealing.refused(request(OLD, SUMMARY), MOVED, compactions=True)
    assert "gAAAA" not in repr(vars(unsealing))
