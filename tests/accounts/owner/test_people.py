"""Names of people, keys, accounts and tags as they are typed."""

import pytest

from accounts.errors import UnknownKey, UnknownPerson, UnknownSubset, UsageError
from accounts.owner.people import (
    budget_words,
    find_key,
    find_person,
    free_key_name,
    read_models,
    read_subset,
    subset_names,
)
from accounts.people.budgets import Budgets, Measure, read_limits
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from tests.builders import account, key_of

SEATS = [account("apple", tags=("Red", "sweet")), account("berry", tags=("red", "apple"))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("apple", (key_of("apple"),)),
        ("APPLE, #red", (key_of("apple"), "#red")),
        ("#apple", ("#apple",)),
        ("Sweet", ("#sweet",)),
        ("ber", (key_of("berry"),)),
        ("2", (key_of("berry"),)),
        ("red,red,#RED", ("#red",)),
        ("all", ()),
    ],
)
def test_a_subset_is_of_labels_and_tags_and_a_label_comes_first(text: str, found: tuple[str, ...]) -> None:
    assert read_subset(text, SEATS) == found


def test_what_is_neither_is_told_with_what_is_like_it() -> None:
    with pytest.raises(UnknownSubset, match=r"Did you mean sweet\?"):
        read_subset("swet", SEATS)
    with pytest.raises(UnknownSubset):
        read_subset("all,apple", SEATS)


def test_an_account_that_is_gone_is_shown_by_its_key() -> None:
    assert subset_names((key_of("apple"), "#red", "gone:user"), SEATS) == ["apple", "#red", "gone:user"]


def test_models() -> None:
    assert read_models(" gpt-5*, o1 ,gpt-5*") == ("gpt-5*", "o1")
    assert read_models("all") == read_models("*") == read_models("none") == ()
    for wrong in ("", ",", "a b", "x" * 101, ",".join(f"m{number}" for number in range(51))):
        with pytest.raises(UsageError, match="name models"):
            read_models(wrong)


def test_people_and_keys_are_found_by_name() -> None:
    people, keys = [Person(name="Ann")], [ClientKey(name="ann-1", digest=""), ClientKey(name="local", digest="")]
    assert find_person(people, "aNN") is people[0]
    assert find_key(keys, "ann-1") is keys[0]
    with pytest.raises(UnknownPerson, match="Did you mean Ann"):
        find_person(people, "anna")
    with pytest.raises(UnknownKey):
        find_key(keys, "local")


def test_a_free_name_for_a_further_key() -> None:
    assert free_key_name("ann", "", []) == "ann"
    assert free_key_name("ann", "", ["ann", "ann-2"]) == "ann-3"
    assert free_key_name("ann", "my mac", ["ann"]) == "ann-my-mac"
    for label in ("x" * 40, "a/b"):
        with pytest.raises(UsageError):
            free_key_name("ann", label, [])


def test_budgets_in_few_words() -> None:
    assert budget_words(Person(name="ann", budgets=Budgets(soft=True))) == []
    limits = read_limits(Measure.TOKENS, "2M/day")
    person = Person(name="ann", budgets=Budgets(limits=limits, share=30, at_once=4, soft=True))
    assert budget_words(person) == ["2M/day tokens", "30% of the pool", "4 at once", "soft"]
