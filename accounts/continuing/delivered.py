"""What the client has been given of an answer, over all accounts that have had a part in it. No I/O.

Only the borders of items are decoded: what lies between two of them is counted and passes unread.
"""

import json
from dataclasses import dataclass, field
from typing import Final

from accounts.continuing import numbers
from accounts.continuing.items import DeliveredItem, Role, role_of
from accounts.requests.json_text import space, walk

CREATED: Final = "response.created"
ITEM_ADDED: Final = "response.output_item.added"
ITEM_DONE: Final = "response.output_item.done"
ENDINGS: Final = frozenset({"response.completed", "response.failed", "response.incomplete"})
MOST_KEPT: Final = 16 * 1024 * 1024
"""Characters of items that are kept for one answer. One that is larger is not carried on."""


@dataclass(slots=True)
class SaidAtEnd:
    """What the parts that have ended say of themselves: `usages` is the object of the tokens that each took, of those
    which say so, `tier` the service tier that the last of these names."""

    usages: list[dict[str, object]] = field(default_factory=list)
    tier: str = ""


class DeliveredAnswer:
    """Of one request of the client. Feed it with what has been delivered, and with nothing else."""

    def __init__(self) -> None:
        self.items: list[DeliveredItem] = []
        self.events = 0
        """How many have passed."""
        self._created = b""
        """The last `response.created` with a response in it, which is mostly never looked into."""
        self.said = SaidAtEnd()
        self.is_clear = True
        """Whether all that has passed is known, and kept."""
        self.has_message = False
        """Whether a message has begun."""
        self._open: dict[object, str] = {}
        self._workspace = ""
        self._kept = 0
        self._numbered = b""

    def part(self, workspace: str) -> None:
        """The answer goes on from here. What was not complete by then the client lets go of."""
        self._workspace = workspace
        self._open.clear()

    def passed(self, kind: str, event: bytes) -> None:
        """An event of this type has passed; `event` is its JSON. Never raises."""
        self.events += 1
        if numbers.NAME in event:
            self._numbered = event
        if kind == ITEM_ADDED:
            self._added(event)
        elif kind == ITEM_DONE:
            self._done(event)
        elif kind == CREATED and b'"response"' in event:
            self._created = event
        elif kind in ENDINGS:
            self.ended(event)

    def skimmed(self, events: int, data: bytes) -> None:
        """So many events have passed, none of which begins or ends an item."""
        self.events += events
        if numbers.NAME in data:
            self._numbered = data

    @property
    def head(self) -> str:
        """The JSON of the response in the last `response.created` that has one; "" if none has come. Looked for anew
        each time."""
        return _member(self._created, "response")[0]

    @property
    def usage(self) -> str:
        """The JSON of the tokens that the last part which says so has taken; "" if none says so."""
        return json.dumps(self.said.usages[-1]) if self.said.usages else ""

    @property
    def last_number(self) -> int | None:
        """The sequence number of the last event that has one; None: none had one."""
        return numbers.last_in(self._numbered)

    @property
    def open_kinds(self) -> tuple[str, ...]:
        """Of items that have begun and are not complete."""
        return tuple(self._open.values())

    @property
    def roles(self) -> frozenset[Role]:
        """Of the items that are complete."""
        return frozenset(each.role for each in self.items)

    def sealed_outside(self, workspace: str) -> list[str]:
        """The JSON of complete reasoning that another workspace has put out."""
        return [each.text for each in self.items if each.role is Role.THOUGHT and each.workspace != workspace]

    def _added(self, event: bytes) -> None:
        _, item, index = _item(event)
        kind = item.get("type")
        self._open[index] = kind if isinstance(kind, str) else ""
        self._note(item)

    def _done(self, event: bytes) -> None:
        text, item, index = _item(event)
        self._open.pop(index, None)
        role = self._note(item)
        self._kept += len(text)
        if self._kept > MOST_KEPT:
            self.is_clear = False
            self.items.clear()
        if self.is_clear:
            kind = str(item["type"])
            self.items.append(DeliveredItem(role=role, kind=kind, text=text, workspace=self._workspace))

    def _note(self, item: dict[str, object]) -> Role:
        role = role_of(item)
        self.is_clear = self.is_clear and role is not Role.UNKNOWN
        self.has_message = self.has_message or item.get("type") == "message"
        return role

    def ended(self, event: bytes) -> None:
        """A part has come to its end, which may say how many tokens it took."""
        try:
            told = json.loads(event)
        except (ValueError, RecursionError):
            return
        response = told.get("response") if isinstance(told, dict) else None
        if not isinstance(response, dict):
            return
        if isinstance(usage := response.get("usage"), dict):
            self.said.usages.append(usage)
        if isinstance(tier := response.get("service_tier"), str):
            self.said.tier = tier[:40]


def _item(event: bytes) -> tuple[str, dict[str, object], object]:
    """The item in an event, as it is written and decoded, and its place in the output. Empty for what is none."""
    text, value = _member(event, "item")
    place, _ = _member(event, "output_index")
    item = value if isinstance(value, dict) else {}
    return (text if item else ""), item, place


def _member(event: bytes, name: str) -> tuple[str, object]:
    """The member of this name of a JSON object, as it is written and decoded; "" and None if there is none."""
    try:
        text = event.decode("utf-8", "surrogatepass")
        whole = walk(text, space(text, 0))
    except (ValueError, RecursionError):
        return "", None
    for part in whole.parts:
        if part.name == name:
            return text[part.start : part.end].partition(":")[2].strip(), part.value
    return "", None
