"""What a person may use: accounts by key or tag, models by globs; nothing said means everything."""

import pytest

from accounts.people.people import Person, in_subset
from tests.builders import account, key_of


@pytest.mark.parametrize(
    ("subset", "inside"),
    [
        ((), True),
        ((key_of("a"),), True),
        ((key_of("b"),), False),
        (("#team",), True),
        ((key_of("b"), "#team"), True),
        (("#tea", "team", "a"), False),
    ],
)
def test_an_account_is_in_a_subset_by_its_key_or_by_one_of_its_tags(subset: tuple[str, ...], inside: bool) -> None:
    assert in_subset(account("a", tags=("fast", "Team")), subset) is inside


@pytest.mark.parametrize(
    ("models", "model", "may"),
    [
        ((), "anything", True),
        ((), "", True),
        (("m-small*",), "m-small-2", True),
        (("m-small*",), "M-Small-2", True),
        (("m-small*",), "m-large", False),
        (("m-[ab]", "x"), "x", True),
        (("m-small*",), "", False),
    ],
)
def test_models_are_globs_and_one_that_is_not_named_is_not_among_some(
    models: tuple[str, ...], model: str, may: bool
) -> None:
    assert Person(name="ann", models=models).may_use(model) is may
