"""Where a refusing reply or an event of a failure keeps the object that describes it. Pure."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from accounts.choice.reset_times import times_in

type JsonObject = Mapping[str, object]

_NAMES: Final = (
    *("error", "detail", "errors", "details", "response", "data", "body", "cause", "inner_error"),
    "status_details",
)
_DEEPEST: Final = 4
_MOST: Final = 32
"""Places that are looked at."""
_MOST_OF_A_LIST: Final = 4
_LONGEST_TEXT: Final = 16_384


def described(payload: object, tells: Callable[[JsonObject], bool]) -> JsonObject:
    """The object that describes a failure, empty when there is none. Never raises.

    `{"error": {…}}`, `{"detail": {…}}`, `{"response": {"error": {…}}}` and the bare object are all in use. If what is
    there does not tell what is wrong, the first that does is taken, however deep it is, in a list or in a text. When to
    try again may stand beside it.
    """
    usual = _usual(payload)
    found = usual if tells(usual) else next(filter(tells, _places(payload)), usual)
    beside = times_in(payload) if isinstance(payload, dict) and payload is not found else {}
    return {**beside, **found} if beside else found


def _usual(payload: object) -> JsonObject:
    if not isinstance(payload, dict):
        return {}
    inner: object = payload
    if isinstance(payload.get("response"), dict):
        inner = payload["response"]
    assert isinstance(inner, dict)
    for name in ("error", "detail"):
        found = inner.get(name)
        if isinstance(found, dict):
            return found
        if isinstance(found, str):
            return {"message": found}
    return inner if inner is payload else {}


def _places(payload: object) -> Iterator[JsonObject]:
    """All that may describe a failure, the nearest first."""
    near, left = [payload], _MOST
    for _ in range(_DEEPEST + 1):
        further: list[object] = []
        for each in near[:left]:
            if isinstance(each, str):
                yield {"code": each, "message": each}
                further += _inside(each)
            elif isinstance(each, list):
                further += each[:_MOST_OF_A_LIST]
            elif isinstance(each, dict):
                yield each
                said = each.get("message")  # words for people, not a code
                further += [each[name] for name in _NAMES if each.get(name)]
                further += _inside(said) if isinstance(said, str) else [said]
        left -= len(near)
        if left <= 0:
            return
        near = further


def _inside(text: str) -> list[object]:
    """The JSON that a text is."""
    if len(text) > _LONGEST_TEXT or not text.lstrip().startswith(("{", "[")):
        return []
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return []
