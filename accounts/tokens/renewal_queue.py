"""Which renewals are under way, and how long one more would have to wait. No I/O, no clock."""

from dataclasses import dataclass, field

from accounts.tokens.send_gap import SEND_GAP


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalWait:
    """What whoever needs a newer token of an account now would wait for; all times are seconds.

    `under_way`: a renewal of this very account has begun, and who asks shares its answer. `ahead` is how many renewals
    of other accounts leave before its own, and `until_sent` about how long that takes: it says nothing of other
    processes. `sent_for` is how long its token has been at the provider without an answer, None when it is not there.
    `usual` is how long the last answer took, None when there was none yet.
    """

    under_way: bool = False
    ahead: int = 0
    until_sent: float = 0.0
    sent_for: float | None = None
    usual: float | None = None

    @property
    def expected(self) -> float | None:
        """About how long until there is a newer token; None when nobody can tell."""
        if self.usual is None:
            return None
        return max(0.0, self.usual - self.sent_for) if self.sent_for is not None else self.until_sent + self.usual


@dataclass(slots=True)
class RenewalQueue:
    """The renewals of one process, by account key, in the order in which they began."""

    _sent: dict[str, float | None] = field(default_factory=dict)
    """When each token left, None for one that waits for its moment."""
    _usual: float | None = None

    def begin(self, key: str) -> None:
        self._sent[key] = None

    def sent(self, key: str, now: float) -> None:
        """The token leaves now."""
        if key in self._sent:
            self._sent[key] = now

    def end(self, key: str, now: float) -> None:
        """There was an answer, or nothing was sent."""
        sent = self._sent.pop(key, None)
        if sent is not None:
            self._usual = max(0.0, now - sent)

    def wait_for(self, key: str, now: float) -> RenewalWait:
        """What a renewal of this account would wait for now."""
        before = list(self._sent)
        if key in before:
            before = before[: before.index(key)]
        sent = self._sent.get(key)
        ahead = 0 if sent is not None else sum(self._sent[each] is None for each in before)
        left = [at + SEND_GAP - now for at in self._sent.values() if at is not None]
        until = ahead * SEND_GAP + max([0.0, *left])
        return RenewalWait(
            under_way=key in self._sent,
            ahead=ahead,
            until_sent=0.0 if sent is not None else until,
            sent_for=None if sent is None else max(0.0, now - sent),
            usual=self._usual,
        )
