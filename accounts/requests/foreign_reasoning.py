"""Which sealed items of a conversation an account cannot read, and the request without them. Pure, in memory.

A thread that moves keeps its history, and the history may hold reasoning that the last account's organisation has
sealed. Whether the next one can read it is found out by asking: the history goes unchanged first, and is sent once more
without those items when upstream says `invalid_encrypted_content` (docs/codex-wire.md section 9). What was found out is
remembered, per thread and per pair of workspaces, so that later turns do not pay for it again. Of an answer that two
accounts have put out it is known from the start which reasoning is whose.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from accounts.choice.pool import Lease, Pool
from accounts.requests import encrypted_items
from accounts.requests.encrypted_items import Sealed

MOST_THREADS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingContext:
    """A thread on a workspace. `before` is the workspace it lived in until now ("": none, or the same)."""

    thread: str
    workspace: str
    before: str = ""

    @classmethod
    def of(cls, lease: Lease, pool: Pool, now: float) -> Self:
        """The thread and the account of a lease, and where the thread lived until now."""
        home = pool.candidates.get(pool.place(lease.thread, now).home)
        before = home.account.account_id if home is not None else ""
        mine = lease.account.account_id
        return cls(thread=lease.thread, workspace=mine, before="" if before == mine else before)


class Unsealing:
    """What is unreadable where. A restart forgets it, which costs each thread one more refusal."""

    def __init__(self) -> None:
        self._unreadable: OrderedDict[tuple[str, str], Sealed] = OrderedDict()
        self._strangers: set[tuple[str, str]] = set()
        self._seen: OrderedDict[tuple[str, str], frozenset[str]] = OrderedDict()
        """Per thread and workspace the digests of reasoning that was seen to come from another one."""

    def came_from_elsewhere(self, items: Iterable[str], reader: ReadingContext) -> None:
        """The client has got these items (each a JSON text) from another workspace, in an answer that goes on here."""
        body = b'{"input":[%b]}' % ",".join(items).encode("utf-8", "surrogatepass")
        sealed = encrypted_items.found_in(body).reasoning
        if sealed and reader.thread:
            self._seen[reader.thread, reader.workspace] = self._foreign(reader) | sealed
            self._seen.move_to_end((reader.thread, reader.workspace))
            while len(self._seen) > MOST_THREADS:
                self._seen.popitem(last=False)

    def refused(self, body: bytes, reader: ReadingContext, *, compactions: bool) -> int:
        """Upstream could not read something in this request. How many items more will be left out from now on.

        Compactions hold the summarised past: they are only left out when `compactions` says so.
        """
        if not reader.thread:
            return 0
        found, known = encrypted_items.found_in(body), self._known(reader)
        reasoning = found.reasoning - known.reasoning
        summaries = found.compactions - known.compactions if compactions else frozenset()
        if reasoning and reader.before:
            self._strangers.add((reader.before, reader.workspace))
        if reasoning or summaries:
            self._remember(reader, Sealed(known.reasoning | reasoning, known.compactions | summaries))
        return len(reasoning) + len(summaries)

    def settled(self, reader: ReadingContext) -> None:
        """The thread has got an answer here: what it seals from now on is this workspace's own."""
        is_new = (reader.thread, reader.workspace) not in self._unreadable
        if reader.thread and is_new and (reader.before, reader.workspace) in self._strangers:
            self._remember(reader, Sealed())

    def readable(self, body: bytes, reader: ReadingContext) -> bytes:
        """The request as this workspace can read it; the very same bytes when nothing is known against it."""
        known = self._unreadable.get((reader.thread, reader.workspace))
        if known is None and reader.thread and (reader.before, reader.workspace) in self._strangers:
            known = Sealed(encrypted_items.found_in(body).reasoning)  # all of it is from before the move
            if known.reasoning:  # a warm-up has no history yet
                self._remember(reader, known)
        known = known or Sealed()
        reasoning = known.reasoning | self._foreign(reader)
        if not (reasoning or known.compactions):
            return body
        return encrypted_items.without(body, reasoning=reasoning, compactions=known.compactions)[0]

    def concerns(self, reader: ReadingContext) -> bool:
        """Whether this request may have to be changed at all: only then is its body worth decoding."""
        at = reader.thread, reader.workspace
        is_known = at in self._unreadable or at in self._seen
        return is_known or (bool(reader.thread) and (reader.before, reader.workspace) in self._strangers)

    def _foreign(self, reader: ReadingContext) -> frozenset[str]:
        return self._seen.get((reader.thread, reader.workspace), frozenset())

    def _known(self, reader: ReadingContext) -> Sealed:
        return self._unreadable.get((reader.thread, reader.workspace), Sealed())

    def _remember(self, reader: ReadingContext, unreadable: Sealed) -> None:
        self._unreadable[reader.thread, reader.workspace] = unreadable
        self._unreadable.move_to_end((reader.thread, reader.workspace))
        while len(self._unreadable) > MOST_THREADS:
            self._unreadable.popitem(last=False)
