"""Which accounts a person may use: by key or tag; nothing said means every one."""

import pytest

from accounts.people.subset import in_subset
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
