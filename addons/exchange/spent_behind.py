"""What the ledger knows of people's use, without its disk before anybody's answer: what was read last holds, and is
read anew behind it. Only the first question about somebody in a period waits for the file."""

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from accounts.ledger.records import TokenCount
from accounts.people.ports import SpentSource

MOST_KNOWN: Final = 10_000

type Question = tuple[str, float]
type Spent = tuple[TokenCount, int]


class SpentBehind:
    """A SpentSource in front of one that reads a file."""

    def __init__(self, source: SpentSource) -> None:
        self.source = source
        self._known: OrderedDict[Question, Spent] = OrderedDict()
        self._under_way: dict[Question, Future[Spent]] = {}
        self._reader = ThreadPoolExecutor(1, "what people have spent")

    def spent(self, person: str, since: float) -> Spent:
        question = (person, since)
        under_way = self._under_way.get(question)
        if under_way is not None and under_way.done():
            del self._under_way[question]
            self._know(question, under_way.result())
        known = self._known.get(question)
        if known is None:
            known = self.source.spent(person, since)
            self._know(question, known)
        elif question not in self._under_way:
            self._under_way[question] = self._reader.submit(self.source.spent, person, since)
        return known

    def _know(self, question: Question, spent: Spent) -> None:
        self._known[question] = spent
        self._known.move_to_end(question)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def close(self) -> None:
        self._reader.shutdown(wait=False, cancel_futures=True)
