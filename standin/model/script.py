"""Which items an account answers with: those a test has laid ready, or the next part of a turn that has several."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Any

from standin.model.chains import Chain
from standin.model.items import Item, Message, WebSearch

type Wire = dict[str, Any]
type Items = tuple[Item, ...]


class Script:
    """What the model is to say. Take the state's lock for its methods."""

    def __init__(self) -> None:
        self._ready: dict[str, deque[Items]] = defaultdict(deque)
        self._steps: tuple[Items, ...] = ()

    def answers(self, key: str, answers: Sequence[Sequence[Item]]) -> None:
        """The next answers of a seat, in order, each for one request; then it answers as usual."""
        self._ready[key] += [tuple(each) for each in answers]

    def plays(self, steps: Sequence[Sequence[Item]]) -> None:
        """How every turn goes from now on, whoever is asked: see `next`. No steps: as usual."""
        self._steps = tuple(tuple(each) for each in steps)

    def next(self, key: str, asked: Chain) -> Items | None:
        """The items of an answer; None leaves it to the account's own text.

        Of a turn in steps that is the step after as many rounds of tool calls as the history has since the user last
        spoke, without what the model has said of it already: it goes on, and never says a thing again.
        """
        if waiting := self._ready.get(key):
            return waiting.popleft()
        if not self._steps:
            return None
        history = asked.whole
        step = self._steps[min(step_of(history), len(self._steps) - 1)]
        said, searched = said_last(history), searched_last(history)
        places = [
            place
            for place, item in enumerate(step, 1)
            if (isinstance(item, Message) and item.text in said)
            or (isinstance(item, WebSearch) and item.query in searched)
        ]
        return step[max(places, default=0) :]


def step_of(history: Sequence[Wire]) -> int:
    """How many rounds of tool calls there were since the user last spoke."""
    rounds, before = 0, False
    for item in history:
        is_output = str(item.get("type")).endswith("_output")
        if item.get("role") == "user":
            rounds, before = 0, False
            continue
        rounds += is_output and not before
        before = is_output or (before and item.get("role") == "developer")
    return rounds


def said_last(history: Sequence[Wire]) -> set[str]:
    """The texts of the model since anybody else has put something in."""
    return {text_of(item) for item in _last(history) if item.get("role") == "assistant"}


def searched_last(history: Sequence[Wire]) -> set[str]:
    """What it has searched the web for since then."""
    actions = (item.get("action") for item in _last(history) if item.get("type") == "web_search_call")
    return {str(each.get("query")) for each in actions if isinstance(each, dict)}


def _last(history: Sequence[Wire]) -> Iterator[Wire]:
    for item in reversed(history):
        if item.get("role") == "user" or str(item.get("type")).endswith("_output"):
            return
        yield item


def text_of(item: Wire) -> str:
    """The text of a message."""
    content = item.get("content")
    if not isinstance(content, list):
        return str(content or "")
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
