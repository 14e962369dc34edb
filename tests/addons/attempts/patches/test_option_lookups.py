"""Options have the values that mitmproxy finds."""

from collections.abc import Sequence
from typing import Any

import pytest
from mitmproxy import optmanager
from mitmproxy.optmanager import OptManager

from addons.attempts.patches.option_lookups import quicken_options

THEIRS = optmanager._Option.current


@pytest.fixture
def options() -> OptManager:
    quicken_options()
    made = OptManager()  # type: ignore[no-untyped-call]
    for name, kind, default in (("word", str, "a"), ("maybe", int | None, None), ("list", Sequence[str], ["x"])):
        made.add_option(name, kind, default, "")  # type: ignore[no-untyped-call]
    return made


@pytest.mark.parametrize("changed", [{}, {"word": "b", "maybe": 7, "list": ["y", "z"]}])
def test_values_are_the_same_with_and_without_a_change(options: OptManager, changed: dict[str, Any]) -> None:
    options.update(**changed)  # type: ignore[no-untyped-call]
    for name in ("word", "maybe", "list"):
        assert getattr(options, name) == THEIRS(options._options[name])
        assert options._options[name].has_changed() is (name in changed)


def test_what_can_change_is_nobody_else_s(options: OptManager) -> None:
    options.list.append("mine")
    assert options.list == ["x"]
    options.list = ["y"]
    options.list.append("mine")
    assert options.list == ["y"]
