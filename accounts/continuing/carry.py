"""What becomes of an answer whose account dies after output: the table, and the request with which it goes on. Pure.

An item that was not complete is dropped by the client, which takes what follows in its place (docs/codex-wire.md
section 12.1). So the next account is asked for what is missing, or nothing is missing any more.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from accounts.continuing.delivered import DeliveredAnswer
from accounts.continuing.items import DeliveredItem, Role
from accounts.requests.encrypted_items import PAIRED
from accounts.requests.json_text import JsonWhole, space, walk


class Carry(StrEnum):
    """What can be done with an answer that its account does not bring to an end."""

    CONTINUE = "continue"
    """Another account is asked, and its answer goes on where this one has stopped."""
    COMPLETE = "complete"
    """It ends here as if it were whole: the client runs its tools, and asks anew."""
    CLIENT = "client"
    """The client asks again by itself."""


WAYS: Final[tuple[tuple[frozenset[Role], Carry], ...]] = (
    (frozenset({Role.THOUGHT}), Carry.CONTINUE),
    (frozenset({Role.THOUGHT, Role.SAID}), Carry.CONTINUE),
    (frozenset({Role.THOUGHT, Role.SAID, Role.CALL}), Carry.COMPLETE),
)
"""The first row that has all roles of the items that are complete. What has no row is left to the client."""


def way_of(delivered: DeliveredAnswer, request: bytes) -> Carry:
    """What can be done for this request, a JSON body or a `response.create` message without its coding."""
    if not delivered.is_clear:
        return Carry.CLIENT
    way = next((way for roles, way in WAYS if delivered.roles <= roles), Carry.CLIENT)
    told = _decoded(request)
    if told is None or told.get("store") is True or (_is_structured(told) and delivered.has_message):
        return Carry.CLIENT
    if way is Carry.COMPLETE:
        return way if delivered.head else Carry.CLIENT
    whole = told.get("previous_response_id") is None and isinstance(told.get("input"), list)
    return way if whole else Carry.CLIENT


def continued(request: bytes, delivered: DeliveredAnswer, workspace: str) -> bytes | None:
    """The request for what is missing, for an account of this workspace: the items that are complete stand at the end
    of its input. None if it has no input that could be added to."""
    items = carried(delivered.items, workspace)
    try:
        text = request.decode()
        inputs = [part.value for part in walk(text, space(text, 0), frozenset({"input"})).parts if part.name == "input"]
    except (ValueError, RecursionError):
        return None
    if len(inputs) != 1 or not isinstance(inputs[0], JsonWhole) or text[inputs[0].start] != "[":
        return None
    if not items:
        return request
    end = inputs[0].end - 1
    before = [text[:end].rstrip()] if inputs[0].parts else []
    head = "" if before else text[:end]
    return f"{head}{','.join([*before, *items])}{text[end:]}".encode("utf-8", "surrogatepass")


def carried(items: list[DeliveredItem], workspace: str) -> list[str]:
    """What the next account gets of them, in their order: all but reasoning that another workspace has sealed. What
    followed such reasoning goes without its id (accounts/requests/encrypted_items.py); reasoning that nothing has
    followed is thought anew."""
    kept: list[tuple[Role, str]] = []
    unpaired = False
    for item in items:
        if item.role is Role.THOUGHT:
            unpaired = not workspace or item.workspace != workspace
            if unpaired:
                continue
        nameless = unpaired and item.kind in PAIRED
        kept.append((item.role, _without_id(item.text) if nameless else item.text))
    while kept and kept[-1][0] is Role.THOUGHT:
        kept.pop()
    return [text for _, text in kept]


def completed(delivered: DeliveredAnswer) -> bytes:
    """The `response.completed` of an answer that ends here: the head that the client has seen, what is complete, and
    the tokens as far as they are known."""
    head = delivered.head
    new = {"status", "output", "usage", "error", "incomplete_details"}
    members = [head[each.start : each.end] for each in walk(head, 0).parts if each.name not in new]
    output = ",".join(each.text for each in delivered.items)
    members += ['"status":"completed"', '"error":null', '"incomplete_details":null']
    members += [f'"output":[{output}]', f'"usage":{delivered.usage or "null"}']
    last = delivered.last_number
    number = "" if last is None else f'"sequence_number":{last + 1},'
    text = f'{{"type":"response.completed",{number}"response":{{{",".join(members)}}}}}'
    return text.encode("utf-8", "surrogatepass")


def _is_structured(request: Mapping[str, object]) -> bool:
    """Whether the messages of its answer are of a form that a second author could not go on with."""
    text = request.get("text")
    form = text.get("format") if isinstance(text, Mapping) else None
    return isinstance(form, Mapping) and form.get("type", "text") != "text"


def _decoded(request: bytes) -> Mapping[str, object] | None:
    try:
        told = json.loads(request)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _without_id(text: str) -> str:
    parts = walk(text, 0).parts
    return f"{{{','.join(text[each.start : each.end] for each in parts if each.name != 'id')}}}"
