"""What each kind of item is to an answer that has to go on elsewhere. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What an item that is complete means for what comes after it."""

    THOUGHT = "thought"
    """Reasoning: sealed, so nobody outside its workspace can read it."""
    SAID = "said"
    """The client keeps it, and sends it back with its next request: what follows can build on it."""
    CALL = "call"
    """The client runs a tool for it, and asks anew with what came of that."""
    UNKNOWN = "unknown"
    """Nobody knows what another account would make of it."""


ROLES: Final[Mapping[str, Role]] = {
    "reasoning": Role.THOUGHT,
    "message": Role.SAID,
    "web_search_call": Role.SAID,
    "image_generation_call": Role.SAID,
    "function_call": Role.CALL,
    "custom_tool_call": Role.CALL,
    "local_shell_call": Role.CALL,
}
"""Of what the provider runs itself, the client's history keeps web searches and images. Calls of remote tools, code and
file searches it does not send back, and a summary of the conversation stands for all of it: these are unknown here."""


def role_of(item: Mapping[str, object]) -> Role:
    """A search for tools is the client's where it says so; the provider's own is unknown."""
    kind = item.get("type")
    if kind == "tool_search_call":
        return Role.CALL if item.get("execution") == "client" else Role.UNKNOWN
    return ROLES.get(kind, Role.UNKNOWN) if isinstance(kind, str) else Role.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredItem:
    """An item that the client has got whole. `text` is its JSON as it has passed; `workspace` has put it out."""

    role: Role
    kind: str
    text: str = field(repr=False)
    workspace: str = ""
