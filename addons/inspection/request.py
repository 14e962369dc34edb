"""A request to the Responses API in words: what it asks for, and the conversation it carries, folded. Pure.

The same over HTTP and as a `response.create` message of a socket; docs/codex-wire.md section 9.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from accounts.requests.identity import CACHE_KEY
from addons.inspection import render as written
from addons.inspection.items import Owner, Piece, call_name, name, nobody, piece, word

FIRST: Final = 60
LAST: Final = 240
"""Of a long conversation so many items at its beginning and at its end are listed."""
NEW: Final = (30, 2_000)
NEW_OUTPUT: Final = (8, 800)
"""Lines and characters of what the model has not answered yet: of a message, and of what a tool put out."""

_SET_UP: Final = frozenset({"developer", "system"})
"""Whose messages are the same in every thread, and long: the person's own words come after them."""

_TOLD: Final = frozenset(
    {"type", "model", "input", "instructions", "tools", "reasoning", CACHE_KEY, "previous_response_id"}
    | {"generate", "stream"}
)


def shown(request: Mapping[str, object], owner: Owner = nobody, *, whole: bool = True) -> list[str]:
    """The request as lines. Never raises, whatever its fields hold; `whole` is False if its end is missing."""
    items = _items(request.get("input"))
    lines = [f"{key}: {written.scalar(value)}" for key, value in _head(request, items) if value]
    if not whole:
        lines.append("cut off: what follows is not in the capture")
    if items:
        lines += [f"input: # {_counted(items)}", *_conversation(items, owner)]
    for key, value in request.items():
        if key not in _TOLD:
            lines += written.block(name(key), value, indent=0, most=2_000)
    return lines


def _head(request: Mapping[str, object], items: list[Mapping[str, object]]) -> list[tuple[str, str]]:
    reasoning = request.get("reasoning")
    told = reasoning.items() if isinstance(reasoning, dict) else ()
    effort = ", ".join(f"{name(key)} {value}" for key, value in told if isinstance(value, str))
    instructions = word(request, "instructions")
    return [
        ("asks for", _purpose(request, items)),
        ("model", word(request, "model")),
        ("thread", word(request, CACHE_KEY)),
        ("goes on from", word(request, "previous_response_id")),
        ("reasoning", written.folded(effort)),
        ("instructions", written.folded(instructions)),
        ("tools", _tools(request.get("tools"))),
    ]


def _purpose(request: Mapping[str, object], items: list[Mapping[str, object]]) -> str:
    if request.get("generate") is False:
        return "a warm-up, no output"
    if items and word(items[-1], "type") == "compaction_trigger":
        return "a compaction of the thread"
    return "an answer" if "input" in request else ""


def _tools(tools: object) -> str:
    if not isinstance(tools, list) or not tools:
        return ""
    names = [name(word(each, "name") or word(each, "type") or "unnamed") for each in tools[:100]]
    return f"{len(tools):,}, {written.folded(', '.join(names), 200)}"


def _items(given: object) -> list[Mapping[str, object]]:
    """The input's items; a bare text is the user's message, and anything that is no object is shown as it is."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    items = given if isinstance(given, list) else []
    return [each if isinstance(each, dict) else {"type": "not an item", "is": each} for each in items]


def _counted(items: list[Mapping[str, object]]) -> str:
    kinds = Counter(name(word(item, "type") or "message") for item in items)
    several = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(8))
    return f"{len(items):,} item{'s' if len(items) > 1 else ''}: {several}"


def _conversation(items: list[Mapping[str, object]], owner: Owner) -> list[str]:
    """One line per item with its place; what came after the model's last words is new, and shown at some length."""
    calls = {word(item, "call_id"): call_name(item) for item in items if word(item, "type").endswith("_call")}
    left_out = range(FIRST, max(FIRST, len(items) - LAST))
    pieces = {at: piece(item, owner, calls) for at, item in enumerate(items) if at not in left_out}
    old = max((at for at, each in pieces.items() if each.by_model), default=-1)
    lines = []
    for at, each in pieces.items():
        if left_out and at == left_out.stop:
            lines.append(f"  # {len(left_out):,} more items are not listed")
        lines += _listed(at, each, new=at > old)
    return lines


def _listed(at: int, each: Piece, *, new: bool) -> list[str]:
    if new and each.value is None and each.text:
        title = f"{at} {each.titled()}"
        bounds = NEW_OUTPUT if each.is_output or each.title in _SET_UP else NEW
        text = written.opening(written.masked(each.readable()), *bounds)
        first, *rest = written.entry(title, text, indent=2)
        return [f"  {first}", *rest]
    return [f"  {at} {line}" for line in each.folded()]
