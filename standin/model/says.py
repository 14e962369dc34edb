"""What the model is to say, what it has said, and what was wrong with what it was asked."""

from standin.model.chains import Chain
from standin.model.history_check import Book, Violation, violations
from standin.model.script import Script


class Says:
    """The model's side of the state; take the state's lock for it."""

    def __init__(self) -> None:
        self.script = Script()
        self.book = Book()
        self.strict = False
        self.violations: list[Violation] = []
        self.attempts = 0

    def objections(self, asked: Chain) -> list[Violation]:
        """All that is wrong with a request's whole input, when it is looked at. Seals are a refusal of their own."""
        if not self.strict:
            return []
        found = violations(asked.whole, self.book)
        self.violations += found
        return found
