"""The lists of several accounts as one: complete, in a steady order, under a tag that changes only with the models."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.choice.model_lists import AGAIN_SECONDS, FRESH_SECONDS, MODEL_SECONDS, MOST_LISTS, ModelLists
from tests.builders import DAY, NOW


def models(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{"slug": name, **more} for name in names]


def lists(*of: list[dict[str, Any]]) -> ModelLists:
    """Accounts "0", "1", ... with these lists."""
    known = ModelLists()
    for number, each in enumerate(of):
        known.learned(str(number), each, NOW)
    return known


def names(known: ModelLists, *keys: str, now: float = NOW) -> list[str]:
    union = known.union(keys, now)
    return [] if union is None else [each["slug"] for each in union.models]


def tag(known: ModelLists, *keys: str) -> str:
    union = known.union(keys, NOW)
    assert union is not None
    return union.etag


@pytest.mark.parametrize(
    ("of", "union"),
    [
        ([["a", "b"]], ["a", "b"]),
        ([["a", "b"], ["a", "b"]], ["a", "b"]),
        ([["a", "c"], ["a", "b", "c"]], ["a", "b", "c"]),
        ([["a", "b", "c"], ["a", "x", "b"]], ["a", "x", "b", "c"]),
        ([["a", "b", "c"], ["x", "a"]], ["x", "a", "b", "c"]),
        ([["a", "b", "c"], ["c", "x"]], ["a", "b", "c", "x"]),
        ([["a", "b", "c"], ["c", "a"]], ["a", "b", "c"]),
    ],
)
def test_each_model_is_there_once_and_where_its_list_has_it(of: list[list[str]], union: list[str]) -> None:
    known = lists(*(models(*each) for each in of))
    assert names(known, "0", "1") == union


def test_only_the_accounts_that_count_and_what_is_known_of_them() -> None:
    known = lists(models("a"), models("b", "c"))
    assert names(known, "1", "unknown") == ["b", "c"]
    assert names(known, "unknown") == []
    assert names(known, "0", now=NOW + MODEL_SECONDS) == []


def test_the_tag_is_that_of_the_models_whoever_lists_them() -> None:
    known = lists(models("a", "b"), models("a", "b"), models("a"), models("a", "b", "c"))
    assert tag(known, "0") == tag(known, "1") == tag(known, "0", "1") == tag(known, "2", "0")
    assert tag(known, "0") != tag(known, "3") == tag(known, "0", "2", "3")
    again = lists(models("a", "b", context=2))
    assert tag(known, "0") != tag(again, "0")


def test_a_model_that_one_account_hides_is_shown() -> None:
    known = lists(models("a", "b", visibility="hide"), models("b", visibility="list"))
    union = known.union({"0", "1"}, NOW)
    assert union is not None
    assert [(each["slug"], each["visibility"]) for each in union.models] == [("a", "hide"), ("b", "list")]


@pytest.mark.parametrize("nothing", [[], [1, "a", None], [{"name": "a"}], [{"slug": 1}]])
def test_a_list_without_models_says_nothing(nothing: list[object]) -> None:
    known = lists(models("a"))
    known.learned("0", nothing, NOW)
    assert names(known, "0") == ["a"]


def test_who_is_asked() -> None:
    """Whose list is not known or old, and nobody twice in a row."""
    known = lists(models("a"))
    assert known.to_ask(["0", "1", "2", "3"], NOW, 2) == ["1", "2"]
    assert known.to_ask(["0", "1", "2", "3"], NOW + 1, 8) == ["3"]
    assert known.to_ask(["0", "1", "2"], NOW + AGAIN_SECONDS, 8) == ["1", "2"]
    assert known.to_ask(["0"], NOW + FRESH_SECONDS - 1, 8) == []
    assert known.to_ask(["0"], NOW + FRESH_SECONDS, 8) == ["0"]


def test_an_account_that_names_another_tag_is_asked_again() -> None:
    """Once, and until then nobody can take what is known for the current list."""
    known = lists(models("a"), models("b"))
    current = known.tag(["0", "1"], NOW)
    later = NOW + AGAIN_SECONDS
    known.names_tag("0", "x", NOW)
    known.names_tag("0", "x", later)
    assert known.tag(["0", "1"], later) == current
    known.names_tag("0", "y", later)
    outdated = known.tag(["0", "1"], later)
    assert outdated not in {current, ""}
    assert known.tag(["1"], later) == tag(known, "1")
    assert known.to_ask(["0", "1"], later, 8) == ["0"]
    assert known.to_ask(["0", "1"], later, 8) == []
    assert known.tag(["0", "1"], later) == current


def test_a_list_that_is_learned_again_is_current() -> None:
    known = lists(models("a"))
    known.names_tag("0", "x", NOW)
    known.names_tag("0", "y", NOW + AGAIN_SECONDS)
    known.learned("0", models("a", "b"), NOW + AGAIN_SECONDS)
    union = known.union(["0"], NOW + AGAIN_SECONDS)
    assert union is not None
    assert known.tag(["0"], NOW + AGAIN_SECONDS) == union.etag


def test_a_tag_that_wavers_makes_nobody_ask_all_the_time() -> None:
    known = lists(models("a"))
    for number in range(100):
        known.names_tag("0", f"tag-{number % 2}", NOW + number)
    assert known.to_ask(["0"], NOW + 100, 8) == []
    known.names_tag("0", "other", NOW + AGAIN_SECONDS)
    assert known.to_ask(["0"], NOW + AGAIN_SECONDS, 8) == ["0"]  # and gets no answer
    current = tag(known, "0")
    known.names_tag("0", "another", NOW + AGAIN_SECONDS + 1)
    assert known.tag(["0"], NOW + AGAIN_SECONDS + 1) == current


def test_without_a_list_there_is_no_tag() -> None:
    known = ModelLists()
    known.names_tag("0", "x", NOW)
    known.names_tag("0", "y", NOW + AGAIN_SECONDS)
    assert known.tag(["0"], NOW + AGAIN_SECONDS) == ""


def test_different_lists_are_bounded_and_the_oldest_goes() -> None:
    known = lists(*(models(f"m{number}") for number in range(MOST_LISTS + 1)))
    assert names(known, "0") == []
    assert names(known, "1") == ["m1"]
    assert len(known._lists) == MOST_LISTS


NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1, max_size=8)


@given(st.lists(NAMES, min_size=1, max_size=4), st.randoms())
@settings(deadline=None)
def test_the_order_does_not_depend_on_who_was_asked_first(of: list[list[str]], chance: Any) -> None:
    keys = [str(number) for number in range(len(of))]
    known = lists(*(models(*each) for each in of))
    others = list(of)
    chance.shuffle(others)
    assert names(known, *keys) == names(lists(*(models(*each) for each in others)), *keys)
    assert sorted(names(known, *keys)) == sorted({name for each in of for name in each})


def test_who_does_not_list_a_model_is_told_with_what_is_listed_for_a_day() -> None:
    lists = ModelLists()
    lists.learned("a", [{"slug": "m"}, {"slug": "n"}], NOW)
    lists.learned("b", [{"slug": "n"}], NOW)
    assert lists.without("m", NOW + DAY - 1) == {"b": {"n"}}
    assert lists.without("n", NOW) == {}
    assert lists.without("m", NOW + DAY) == {}


def test_a_list_of_a_time_to_come_is_of_now_once_the_clock_was_set() -> None:
    lists = ModelLists()
    lists.learned("a", [{"slug": "n"}], NOW + 30 * DAY)
    lists.sensible(NOW)
    assert lists.without("m", NOW + DAY) == {}
    assert lists.without("m", NOW + DAY - 1) == {"a": {"n"}}
