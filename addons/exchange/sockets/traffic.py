"""What passes on a client's WebSocket: what was asked, what the client has been given of the answer, and when."""

from accounts.continuing.carry import Carry, continued, way_of
from accounts.continuing.delivered import DeliveredAnswer
from accounts.continuing.numbers import Renumbering
from accounts.requests.response_chain import ResponseChain
from addons.recording import turn_line
from addons.wire import events


class SocketTraffic:
    """Of one socket; times are in seconds since the epoch."""

    def __init__(self, now: float, chain_bytes: int) -> None:
        self.chain = ResponseChain(chain_bytes)
        self.asked = b""
        """What the client has asked for in the turn under way."""
        self.purpose = ""
        """What the turn is for if it is none of the user's."""
        self.heard = 0
        """How many messages of turns have come from the server."""
        self.answered = False
        """Whether one has in the turn under way."""
        self.given = 0
        """How many bytes of its answer the client has got."""
        self.delivered = DeliveredAnswer()
        self._numbers = Renumbering(None)
        self._heard_at = now

    def asks(self, content: bytes, now: float) -> None:
        self.asked, self.purpose, self.answered, self._heard_at = content, turn_line.purpose_in(content), False, now
        self.given, self.delivered, self._numbers = 0, DeliveredAnswer(), Renumbering(None)
        self.chain.asks(content)

    def attempt(self, workspace: str, *, continuing: bool, now: float) -> None:
        """The request goes to an account of this workspace."""
        if not continuing:
            self.chain.starts_again()
        self.delivered.part(workspace)
        self._numbers = Renumbering(self.delivered.last_number)
        self.answered, self._heard_at = False, now

    def hears(self, content: bytes, now: float) -> bytes:
        """The server says something in a turn: that as the client is to get it, whose numbers go on rising."""
        self.heard, self.answered, self._heard_at = self.heard + 1, True, now
        return self._numbers.passing(content)

    def gives(self, kind: str, content: bytes) -> None:
        """That goes to the client."""
        self.given += len(content)
        self.delivered.passed(kind, content)
        if kind == events.ITEM_DONE:
            self.chain.gives(content)
        elif kind == events.CREATED:
            self.chain.begins(content)

    def forget(self) -> None:
        """The turn is over."""
        self.asked, self.delivered = b"", DeliveredAnswer()

    def silent(self, now: float) -> float:
        """Seconds since the server has said something, or was asked."""
        return now - self._heard_at

    def request(self, workspace: str, *, continuing: bool) -> bytes:
        """What was asked, as a server can understand it that knows what this one knows; `continuing`: what is missing
        of its answer."""
        asked, chain = self.asked, self.chain
        whole = asked if chain.is_known(asked) and not continuing else chain.whole(asked)
        if whole is None or not continuing:
            return whole or asked
        return continued(whole, self.delivered, workspace) or whole

    def carry(self) -> Carry:
        """What can be done with the answer if it has died now."""
        return way_of(self.delivered, self.chain.whole(self.asked) or self.asked)
