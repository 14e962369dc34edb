"""What `previous_response_id` stands for on one socket (docs/codex-wire.md section 1.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

type Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """A history in parts: what came before, and the items after that."""

    before: "Chain | None" = field(repr=False, default=None)
    items: tuple[Wire, ...] = field(repr=False, default=())

    def then(self, items: Sequence[Wire]) -> "Chain":
        """This history, and these items."""
        return Chain(self, tuple(items)) if items else self

    @property
    def whole(self) -> tuple[Wire, ...]:
        """All items in order."""
        parts = [link.items for link in self._back()]
        return tuple(item for part in reversed(parts) for item in part)

    def _back(self) -> Iterator[Self]:
        link: Any = self
        while link is not None:
            yield link
            link = link.before


START = Chain()
"""Nothing was said yet."""


class Chains:
    """The answers of one socket that came to their end, by their ids; an answer that died is not known."""

    def __init__(self) -> None:
        self._known: dict[str, Chain] = {}

    def find(self, previous: object) -> Chain | None:
        """The history that a request goes on from: `START` without an id, None for an id that is not known."""
        if previous is None:
            return START
        return self._known.get(previous) if isinstance(previous, str) else None

    def keep(self, response_id: str, asked: Chain, output: Sequence[Wire]) -> None:
        """An answer has come to its end."""
        self._known[response_id] = asked.then(output)
