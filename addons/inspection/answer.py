"""An answer of the Responses API in words: what the model said and did, what it cost, how it ended. Pure.

The same events come in an event stream and as the messages of a socket; docs/codex-wire.md sections 1.2 and 3.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from accounts.choice import quota
from accounts.choice.outcomes import error_of
from accounts.choice.reset_times import as_number
from addons.inspection import render as written
from addons.inspection.body import StreamEvent
from addons.inspection.items import Item, Owner, Piece, name, nobody, piece, word
from addons.wire import events as streams

MOST_EVENTS: Final = 100_000
"""Events that are read of one answer; a long one has a few thousand."""
UNENDED: Final = "cut off, no event says that the answer is complete"
OURS: Final = ("codex_rotate_", "codex-rotate")
"""How an error of our own begins: its type, or its message where the type has to be one the client knows."""


@dataclass
class Slot:
    """One item of the answer as it grows: what is known of the item, and the pieces of its text by their place."""

    item: Item = field(default_factory=dict)
    done: bool = False
    texts: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def piece(self, owner: Owner) -> Piece:
        """The item in words: as it was when it was done, else as far as its pieces go."""
        found = piece(self.item, owner)
        if found.text or found.value is not None or not self.texts:
            return found
        what = next(iter(self.texts))[0]
        text = "\n\n".join("".join(parts) for parts in self.texts.values())
        return piece({**self.item, **_GROWING[what](text)}, owner)


_GROWING: Final[Mapping[str, Callable[[str], Item]]] = {
    "response.output_text": lambda text: {"type": "message", "role": "assistant", "content": text},
    "response.refusal": lambda text: {"type": "message", "role": "assistant", "content": f"refused: {text}"},
    "response.reasoning_summary_text": lambda text: {"type": "reasoning", "summary": text},
    "response.reasoning_text": lambda text: {"type": "reasoning", "content": text},
    "response.function_call_arguments": lambda text: {"type": "function_call", "arguments": text},
    "response.mcp_call_arguments": lambda text: {"type": "mcp_call", "arguments": text},
    "response.custom_tool_call_input": lambda text: {"type": "custom_tool_call", "input": text},
    "response.code_interpreter_call_code": lambda text: {"type": "code_interpreter_call", "arguments": text},
}
"""Texts that come in pieces, and the item that they are the text of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What an answer used. None: it was not said."""

    given: int | None = None
    cached: int | None = None
    made: int | None = None
    reasoning: int | None = None
    total: int | None = None

    def __str__(self) -> str:
        given = f"{_n(self.given)} in" + (f" ({_n(self.cached)} cached)" if self.cached is not None else "")
        made = f"{_n(self.made)} out" + (f" ({_n(self.reasoning)} reasoning)" if self.reasoning is not None else "")
        return f"{given}, {made}" + (f", {_n(self.total)} in all" if self.total is not None else "")


@dataclass
class TranscribedAnswer:
    """What the events of one answer come to. `ended` is a word for how, "" while, or if, no event says it."""

    response_id: str = ""
    model: str = ""
    ended: str = ""
    why: str = ""
    ours: bool = False
    tokens: Tokens | None = None
    windows: tuple[quota.Window, ...] = ()
    plan: str = ""
    credit: str = ""
    slots: dict[object, Slot] = field(default_factory=dict)
    count: int = 0
    others: list[StreamEvent] = field(default_factory=list)
    partly: list[StreamEvent] = field(default_factory=list)


def read(events: Iterable[StreamEvent], now: float) -> TranscribedAnswer:
    """Put the events of one answer together. Never raises, whatever they hold; `now` is when they came."""
    answer = TranscribedAnswer()
    for event in islice(events, MOST_EVENTS):
        answer.count += 1
        if not event.whole:
            _partly(answer, event)
        elif event.kind == streams.RATE_LIMITS:
            _limits(answer, event.payload, now)
        elif streams.ends(event.kind) or "response" in event.payload:
            _response(answer, event)
        elif event.kind.startswith("response.output_item."):
            _item(answer, event)
        elif not _grows(answer, event) and not streams.is_redundant(event.kind) and event.payload:
            answer.others.append(event)
    return answer


def _partly(answer: TranscribedAnswer, event: StreamEvent) -> None:
    """An event that was cut off ends nothing and replaces nothing; it may still show an item that no other one does."""
    answer.partly.append(event)
    item = event.payload.get("item")
    if isinstance(item, dict):
        answer.slots.setdefault(_place(event.payload, item), Slot(item))


def _response(answer: TranscribedAnswer, event: StreamEvent) -> None:
    """An event about the whole answer: its name, its model, its end."""
    inner = event.payload.get("response")
    response = inner if isinstance(inner, dict) else {}
    answer.response_id = word(response, "id") or answer.response_id
    answer.model = word(response, "model") or answer.model
    answer.tokens = tokens_of(response.get("usage")) or answer.tokens
    ending = streams.ends(event.kind)
    if not ending:
        return
    answer.ended = ending
    if ending == "incomplete":
        answer.why = name(word(response.get("incomplete_details"), "reason") or "no reason given")
    elif ending != "completed":
        answer.why, answer.ours = trouble(event.payload)
    output = response.get("output")
    if not answer.slots and isinstance(output, list):
        items = [item for item in output if isinstance(item, dict)]
        answer.slots = {at: Slot(item, done=True) for at, item in enumerate(items)}


def _item(answer: TranscribedAnswer, event: StreamEvent) -> None:
    item = event.payload.get("item")
    if isinstance(item, dict):
        slot = answer.slots.setdefault(_place(event.payload, item), Slot())
        slot.item, slot.done = item, event.kind.endswith(".done")


def _grows(answer: TranscribedAnswer, event: StreamEvent) -> bool:
    """Whether the event is a piece of an item's text, or the whole of one; then it is in its place now."""
    what, _, step = event.kind.rpartition(".")
    if what not in _GROWING or step not in {"delta", "done"}:
        return False
    payload = event.payload
    slot = answer.slots.setdefault(_place(payload, payload), Slot())
    parts = slot.texts.setdefault((what, str(payload.get("summary_index", payload.get("content_index")))[:20]), [])
    if step == "delta":
        parts.append(word(payload, "delta"))
    else:
        parts[:] = filter(None, [next(filter(None, (word(payload, key) for key in _WHOLE)), "".join(parts))])
    return True


_WHOLE: Final = ("text", "arguments", "input", "refusal", "code")


def _place(payload: Mapping[str, object], item: Item) -> object:
    at = payload.get("output_index")
    return at if isinstance(at, int) else word(payload, "item_id") or word(item, "id")


def _limits(answer: TranscribedAnswer, payload: Mapping[str, object], now: float) -> None:
    answer.windows = quota.merged(answer.windows, quota.from_event(payload, now))
    answer.plan = word(payload, "plan_type") or answer.plan
    credit = payload.get("credits")
    if isinstance(credit, dict) and (credit.get("has_credits") or credit.get("unlimited")):
        balance = credit.get("balance")
        answer.credit = "unlimited" if credit.get("unlimited") else name(str(balance)[:40])


def tokens_of(usage: object) -> Tokens | None:
    """A `usage` object; None if there is no number in it."""
    if not isinstance(usage, dict):
        return None
    found = Tokens(
        given=_count(usage, "input_tokens"),
        cached=_count(usage.get("input_tokens_details"), "cached_tokens"),
        made=_count(usage, "output_tokens"),
        reasoning=_count(usage.get("output_tokens_details"), "reasoning_tokens"),
        total=_count(usage, "total_tokens"),
    )
    return None if found == Tokens() else found


def trouble(payload: object) -> tuple[str, bool]:
    """An error in one line, and whether it is one of ours: upstream's or our own JSON, a body or an event."""
    error = error_of(payload)
    status = payload.get("status", payload.get("status_code")) if isinstance(payload, dict) else None
    kind, code, message = (word(error, key) for key in ("type", "code", "message"))
    ours = any(each.startswith(OURS) for each in (kind, code, message))
    names = [str(status)] if isinstance(status, int) and not isinstance(status, bool) else []
    names += [name(each) for each in dict.fromkeys((code, kind)) if each and each != streams.ERROR]
    resets = as_number(error.get("resets_at"))
    facts = [f"plan {name(word(error, 'plan_type'))}"] if word(error, "plan_type") else []
    facts += [f"resets {written.moment(resets)}"] if resets is not None else []
    said = written.folded(message, 400) if message else ""
    line = ": ".join(filter(None, (" ".join(names), said))) or "no reason given"
    return line + (f" ({', '.join(facts)})" if facts else ""), ours


def shown(answer: TranscribedAnswer, owner: Owner = nobody, *, unended: str = UNENDED) -> list[str]:
    """The answer as lines. `unended` is what is said of one without an end; "" for a single event, which needs none."""
    lines = [f"{key}: {written.scalar(value)}" for key, value in _head(answer, unended) if value]
    limits = list(_limit_lines(answer))
    if limits:
        lines += ["limits:", *(f"  - {each}" for each in limits)]
    if answer.slots:
        lines.append("output:")
        for slot in answer.slots.values():
            found = slot.piece(owner)
            if unended and not answer.ended and not slot.done:
                found = replace(found, title=f"{found.title}, unfinished")
            first, *rest = found.full(indent=4)
            lines += [f"  - {first}", *rest]
    for event in answer.others[:20]:
        body = {key: value for key, value in event.payload.items() if key not in ("type", "sequence_number")}
        lines += written.block(name(event.kind or "event without a type"), body, indent=0, most=2_000)
    for event in answer.partly[:20]:
        if not event.payload:
            lines += unreadable(event.text)
    return lines


def unreadable(text: str) -> list[str]:
    """What could not be read, as it is."""
    return written.entry(f"unreadable, {len(text):,} characters", text[:4_000], indent=0, most=2_000)


def _head(answer: TranscribedAnswer, unended: str) -> list[tuple[str, str]]:
    ended = ": ".join(filter(None, (answer.ended, answer.why))) or unended
    partly = f", {len(answer.partly):,} of them unreadable or cut off" if answer.partly else ""
    return [
        ("model", answer.model),
        ("response", answer.response_id),
        ("ended", ended),
        ("from", "codex-rotate, not from upstream" if answer.ours else ""),
        ("tokens", str(answer.tokens) if answer.tokens else ""),
        ("plan", answer.plan),
        ("events", f"{answer.count:,}{' or more' if answer.count == MOST_EVENTS else ''}{partly}" if unended else ""),
    ]


def _limit_lines(answer: TranscribedAnswer) -> Iterable[str]:
    for window in answer.windows:
        resets = f", resets {written.moment(window.resets_at)}" if window.resets_at is not None else ""
        yield f"{name(window.family)}, {quota.window_name(window.minutes)}: {window.used_percent:g} % used{resets}"
    if answer.credit:
        yield f"credit: {answer.credit}"


def _count(numbers: object, key: str) -> int | None:
    value = numbers.get(key) if isinstance(numbers, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _n(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"
