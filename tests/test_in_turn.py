"""Each case of a file takes one way, the next case the next way; what has only one way stays."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests import in_turn

WAYS = ("h1", "h2")
BIG, SMALL = object(), object()


def test_each_case_takes_the_way_whose_turn_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []

    def note(items: list[Any]) -> None:
        said.extend(items)

    config: Any = SimpleNamespace(hook=SimpleNamespace(pytest_deselected=note))
    items = [
        *(made("a", way=way, size=size) for way in ("h1", "h2", "ws") for size in (BIG, SMALL)),
        *(made("b", way=way) for way in WAYS),
        *(made("only", way=way) for way in ("h2", "ws")),
        made("c"),
    ]
    monkeypatch.delenv("COLD", raising=False)
    kept = list(items)
    in_turn.leave_out(config, kept, items, WAYS)
    assert [each.name for each in kept] == [
        "a h1 BIG",
        "a h2 SMALL",
        "a ws BIG",
        "a ws SMALL",
        "b h1",
        "only h2",
        "only ws",
        "c",
    ]
    assert {*kept, *said} == {*items}
    monkeypatch.setenv("COLD", "1")
    kept = list(items)
    in_turn.leave_out(config, kept, items, WAYS)
    assert kept == items


def made(test: str, **params: object) -> Any:
    """A test as pytest has found it."""
    words = {BIG: "BIG", SMALL: "SMALL"}
    name = " ".join([test, *(str(words.get(value, value)) for value in params.values())])
    return Found(path="a.py", originalname=test, name=name, callspec=SimpleNamespace(params=params))


class Found(SimpleNamespace):
    __hash__ = object.__hash__
