"""The sequence numbers of events. They are found and changed as text: no event is decoded for them. Pure."""

import re
from typing import Final

NAME: Final = b'"sequence_number"'
_NUMBER: Final = re.compile(rb'([{,]\s*"sequence_number"\s*:\s*)(\d{1,15})')
"""As a member of an object. Within a text the quotes would be escaped, so it cannot be anything else."""


def last_in(data: bytes) -> int | None:
    """The last number in these events; None if there is none."""
    found = [int(each.group(2)) for each in _NUMBER.finditer(data)]
    return found[-1] if found else None


class Renumbering:
    """Has the numbers of a further part rise on from those of the part before it, by one distance for all of them.

    `last` is what has passed last; None: the parts before had no numbers, and this one keeps its own.
    """

    def __init__(self, last: int | None) -> None:
        self._last = last
        self._shift: int | None = None

    def passing(self, data: bytes) -> bytes:
        """Events of the further part as the client gets them. None of them is cut in its number."""
        if self._last is None or NAME not in data:
            return data
        return _NUMBER.sub(self._renumbered, data)

    def _renumbered(self, found: re.Match[bytes]) -> bytes:
        number = int(found.group(2))
        if self._shift is None:
            assert self._last is not None
            self._shift = max(0, self._last + 1 - number)
        return b"%b%d" % (found.group(1), number + self._shift)
