"""One account's part in the stream of events that a client gets.

Only whole events pass: what has come of the next one is held back until its end. So nothing of one account's event can
be glued to another's. That costs nothing where chunks hold whole events, as they nearly always do.
"""

from typing import Final

from accounts.continuing.delivered import DeliveredAnswer
from accounts.continuing.numbers import Renumbering

MOST_HELD: Final = 1 << 20
"""Of an event that is larger than this (bytes) nothing is held back, and then nobody can go on behind it."""
_ENDS: Final = (b"\n\n", b"\n\r\n", b"\r\r")


class StreamPart:
    """`delivered` is what the client has got, of all parts; it takes in what passes of this one."""

    def __init__(self, delivered: DeliveredAnswer) -> None:
        self.delivered = delivered
        self.is_torn = False
        """Whether an event has passed in pieces."""
        self._renumbering = Renumbering(delivered.last_number)
        self._early: list[tuple[str, bytes]] | None = []
        """What has been heard before it is known that the client gets it."""
        self._rest = b""

    def heard(self, kind: str, event: bytes) -> None:
        """An event has come whole."""
        if self._early is None:
            self.delivered.passed(kind, event)
        else:
            self._early.append((kind, event))

    def begin(self, workspace: str) -> None:
        """The client gets it, what was heard so far included."""
        early, self._early = self._early or [], None
        self.delivered.part(workspace)
        for kind, event in early:
            self.delivered.passed(kind, event)

    def whole(self, data: bytes) -> bytes:
        """What passes with this chunk; b"" is the end, with which all does."""
        passes = data if data and not self._rest and data.endswith(b"\n\n") else self._with_rest(data)
        numbered = self._renumbering.passing(passes)
        if numbered is not passes:
            self.delivered.skimmed(0, numbered)
        return numbered

    def _with_rest(self, data: bytes) -> bytes:
        is_end = not data
        data = self._rest + data
        border = max((at + len(end) for end in _ENDS if (at := data.rfind(end)) >= 0), default=0)
        if is_end or len(data) - border > MOST_HELD:
            border = len(data)
            self.is_torn = self.is_torn or bool(data)
        self._rest = data[border:]
        return data[:border]
