"""Whether the history of a request is one that can have come about: what a provider refuses, and what none would see.

The provider itself refuses a call without its output and the other way round, an id that occurs twice, and what another
account has sealed. It cannot see that an item was never said, or said once and sent twice; we can.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from standin.model.script import text_of

type Wire = dict[str, Any]

OUTPUTS: Mapping[str, frozenset[str]] = {
    "function_call": frozenset({"function_call_output"}),
    "custom_tool_call": frozenset({"custom_tool_call_output"}),
    "local_shell_call": frozenset({"local_shell_call_output", "function_call_output"}),
}
"""What answers a call of each kind; other calls are run by the provider. The official client answers a shell call of
the provider's kind as it does a function's."""
_CONTENT = ("type", "name", "namespace", "arguments", "input", "encrypted_content", "action", "call_id")
"""What makes an item what it is, beside its text."""
_OUTPUTS = frozenset[str]().union(*OUTPUTS.values())
_CLIENTS = _OUTPUTS | {"additional_tools", "compaction_trigger"}
"""The kinds that the client makes."""


class ViolationKind(StrEnum):
    """What can be wrong with a history."""

    CALL_WITHOUT_OUTPUT = "call_without_output"
    OUTPUT_WITHOUT_CALL = "output_without_call"
    SAME_ID = "same_id"
    SAID_TWICE = "said_twice"
    FOREIGN_SEAL = "foreign_seal"
    INVENTED = "invented"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong; `where` is an item's place in the input, or the id that is in question."""

    kind: ViolationKind
    where: str

    def __str__(self) -> str:
        return f"{self.kind} {self.where}"


class Book:
    """Every item that was sent to its end, by anybody."""

    def __init__(self) -> None:
        self._items: dict[str, Wire] = {}

    def write(self, item: Wire) -> None:
        """An item's last event is on its way."""
        self._items[item["id"]] = item

    def has(self, item: Wire) -> bool:
        """Whether an item of a history is one of these, whatever the client has added to it."""
        written = self._items.get(str(item.get("id")))
        candidates = [written] if written is not None else [] if item.get("id") else list(self._items.values())
        return any(_same(item, each) for each in candidates)


def violations(
    history: Sequence[Wire], book: Book, sealed: Mapping[str, str] | None = None, account_id: str = ""
) -> list[Violation]:
    """All that is wrong with a request's whole input. `sealed` says whose each sealed content is; without it nobody
    looks at seals."""
    found = [*_pairs(history), *_same_ids(history), *_said_twice(history)]
    for place, item in enumerate(history):
        if not _by_client(item) and not book.has(item):
            found.append(Violation(ViolationKind.INVENTED, f"{item.get('type')} at {place}"))
        blob = item.get("encrypted_content")
        if sealed is not None and isinstance(blob, str) and sealed.get(blob) != account_id:
            found.append(Violation(ViolationKind.FOREIGN_SEAL, f"{item.get('type')} at {place}"))
    return found


def _by_client(item: Wire) -> bool:
    return item.get("type") in _CLIENTS or item.get("role") in {"user", "developer", "system"}


def _pairs(history: Sequence[Wire]) -> list[Violation]:
    calls = [item for item in history if item.get("type") in OUTPUTS]
    outputs = [item for item in history if item.get("type") in _OUTPUTS]
    open_calls = [call for call in calls if not any(_answers(each, call) for each in outputs)]
    stray = [each for each in outputs if not any(_answers(each, call) for call in calls)]
    ids = [str(call.get("call_id")) for call in calls]
    return [
        *(Violation(ViolationKind.CALL_WITHOUT_OUTPUT, str(each.get("call_id"))) for each in open_calls),
        *(Violation(ViolationKind.OUTPUT_WITHOUT_CALL, str(each.get("call_id"))) for each in stray),
        *(Violation(ViolationKind.SAME_ID, each) for each in sorted({one for one in ids if ids.count(one) > 1})),
    ]


def _answers(output: Wire, call: Wire) -> bool:
    return output.get("type") in OUTPUTS[str(call["type"])] and output.get("call_id") == call.get("call_id")


def _same_ids(history: Sequence[Wire]) -> list[Violation]:
    ids = [str(item["id"]) for item in history if item.get("id")]
    twice = sorted({each for each in ids if ids.count(each) > 1})
    return [Violation(ViolationKind.SAME_ID, each) for each in twice]


def _said_twice(history: Sequence[Wire]) -> list[Violation]:
    """Two messages of the model in a row, but for reasoning, with the same words."""
    talk = [item for item in history if item.get("type") != "reasoning"]
    return [
        Violation(ViolationKind.SAID_TWICE, text_of(second))
        for first, second in pairwise(talk)
        if first.get("role") == second.get("role") == "assistant" and text_of(first) == text_of(second)
    ]


def _same(item: Wire, written: Wire) -> bool:
    """The client writes an action in its own way, so that of it only the kind counts."""
    mine, theirs = ({name: each.get(name) for name in _CONTENT} for each in (item, written))
    for each in (mine, theirs):
        action = each.pop("action")
        each["action"] = action.get("type") if isinstance(action, dict) else None
    return mine == theirs and (item.get("role") != "assistant" or text_of(item) == text_of(written))
