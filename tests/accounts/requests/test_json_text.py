import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.requests.json_text import JsonWhole, space, walk

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=9), VALUES, max_size=6), st.sampled_from([None, 2]))
def test_every_member_is_found_where_it_stands(document: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(document, indent=indent)
    whole = walk(text, 0)
    assert (whole.start, whole.end) == (0, len(text))
    found = {}
    for part in whole.parts:
        found |= json.loads(f"{{{text[part.start : part.end]}}}")
    assert found == document


def test_a_member_that_is_asked_for_is_walked_too() -> None:
    text = ' {"a": [1, {"b": 2}], "c": [3]}'
    first, second = walk(text, space(text, 0), frozenset({"a"})).parts
    assert isinstance(first.value, JsonWhole)
    assert [text[each.start : each.end] for each in first.value.parts] == ["1", '{"b": 2}']
    assert second.value == ["3"]


@pytest.mark.parametrize("text", ["", "1", '{"a"}', '{"a":1', "[1,", "{a:1}"])
def test_what_is_no_object_and_no_array_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        walk(text, 0)
