"""What the ledger knows of what people have used, without its disk before anybody's answer: it is read behind."""

from concurrent.futures import Future, ThreadPoolExecutor

from accounts.ledger.queries import LedgerSpending
from accounts.ledger.records import TokenCount

type Question = tuple[str, float]
type Spent = tuple[TokenCount, int]


class SpentBehind:
    """A SpentSource in front of the one that reads the file."""

    def __init__(self, source: LedgerSpending) -> None:
        self.source = source
        self._reading: dict[Question, Future[Spent]] = {}
        self._reader = ThreadPoolExecutor(1, "what people have spent")

    def spent(self, person: str, since: float) -> Spent | None:
        """None until it is read. Whoever asks for it keeps the answer: it is told once."""
        for old in [each for each in self._reading if each[0] == person and each[1] < since and self._is_read(each)]:
            del self._reading[old]  # of a period that is over
        question = (person, since)
        if question not in self._reading:
            self._reading[question] = self._reader.submit(self.source.spent, person, since)
            return None
        return self._reading.pop(question).result() if self._is_read(question) else None

    def _is_read(self, question: Question) -> bool:
        return self._reading[question].done()

    def close(self) -> None:
        self._reader.shutdown(wait=False, cancel_futures=True)
