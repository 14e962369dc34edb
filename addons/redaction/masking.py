"""Looks for secrets and puts marks in their places. Pure.

Looking has to be cheap: bodies are large and rarely hold a secret. So each row of the table names a word that must be
there, found without a regular expression; only around that its patterns are tried.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Final, NamedTuple

from addons.redaction.patterns import ACCOUNT, IN_FLOWS, RULES, SecretClass, SecretPattern

MOST_BEFORE: Final = 64
"""Bytes in front of a word that its row may look at."""
SHORTEST_ID: Final = 5
"""Bytes. A shorter id is a word like any other, and stays."""
FEW: Final = 32
"""So many known ids are first looked for one by one: mostly none is there."""
_STARTS: Final = re.compile(rb"(?<![A-Za-z0-9])(?=([\w-]{5}))")
_CONTINUED: Final = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that do not begin a character."""


class Span[T: (str, bytes)](NamedTuple):
    """What is to be replaced from `start` to `stop`. `read` is how far its row has looked, and `weak`: it gives way to
    what has read all of it."""

    start: int
    stop: int
    shown: T
    read: int
    weak: bool = False


def masked(text: bytes, ids: frozenset[bytes] = frozenset(), classes: frozenset[SecretClass] = IN_FLOWS) -> bytes:
    """The text with each secret of these classes replaced; the same object if there is none. `ids` are masked where
    neither a letter nor a digit stands next to them. Masking what is masked already changes nothing."""
    spans = list(_found(text, classes))
    if ids:
        spans += _known(text, ids, {span.start for span in spans})
    return replaced(text, spans) if spans else text


def masked_text(text: str, classes: frozenset[SecretClass]) -> str:
    """The same for text, which need not be encodable."""
    return replaced(text, found_in(text, classes))


def found_in(text: str, classes: frozenset[SecretClass]) -> list[Span[str]]:
    """Where each secret of these classes is in a text, in any order, also those within others."""
    data = text.encode("utf-8", "surrogatepass")
    spans = list(_found(data, classes))
    place = _places(data, {at for span in spans for at in (span.start + 1, span.stop, span.read)})
    return [
        Span(place[start + 1] - 1, place[stop], shown.decode(), place[read], weak)
        for start, stop, shown, read, weak in spans
    ]


def replaced[T: (str, bytes)](text: T, spans: Iterable[Span[T]]) -> T:
    """Each span replaced, of overlapping ones the first and longest, and nothing left of the others."""
    parts: list[T] = []
    end = read = 0
    for span in sorted(spans, key=lambda span: (span.start, -span.stop)):
        if span.start >= end:
            parts += [text[end : span.start], span.shown]
        elif span.weak and span.stop <= read:
            continue  # the host behind a user and a password: together they look like an e-mail address
        end, read = max(end, span.stop), max(read, span.read)
    parts.append(text[end:])
    return text[:0].join(parts)


def _places(data: bytes, ends: Iterable[int]) -> Mapping[int, int]:
    """How many characters begin before each of these bytes."""
    places, done, characters = {}, 0, 0
    for end in sorted(ends):
        characters += len(data[done:end].translate(None, _CONTINUED))
        places[end] = characters
        done = end
    return places


def _found(text: bytes, classes: frozenset[SecretClass]) -> Iterator[Span[bytes]]:
    folded = text.lower()
    rows, wordless = _rows(classes, text.find(b"%") >= 0)
    find = folded.find
    for word, rules in rows:
        at = find(word)
        while at >= 0:
            after = at + 1
            for rule in rules:
                span = _at(rule, text, at)
                if span is not None:
                    after = max(after, span.stop)
                    yield span
            at = find(word, after)
    for rule in wordless:
        for matched in rule.after.finditer(text):
            yield Span(*matched.span(1), _replacement(rule, matched[1]), matched.end())


def _at(rule: SecretPattern, text: bytes, at: int) -> Span[bytes] | None:
    matched = rule.after.match(text, at)
    if matched is None:
        return None
    start, stop = matched.span(1 if rule.after.groups else 0)
    if not rule.wanted(text[start:stop]):
        return None
    if rule.before is not None:
        earlier = rule.before.search(text[max(0, at - MOST_BEFORE) : at])
        if earlier is None:
            return None
        if not rule.after.groups:
            start -= earlier.end() - earlier.start()
    return Span(start, stop, _replacement(rule, text[start:stop]), matched.end(), rule.kind == SecretClass.MAIL)


def _replacement(rule: SecretPattern, value: bytes) -> bytes:
    return rule.shown if isinstance(rule.shown, bytes) else rule.shown(value)


@functools.cache
def _rows(
    classes: frozenset[SecretClass], encoded: bool
) -> tuple[Sequence[tuple[bytes, Sequence[SecretPattern]]], list[SecretPattern]]:
    """The rows of these classes by their words, each word once, and those without one. What is not `encoded` has no
    percent sign: to find that is cheaper than to look for what begins with one."""
    found: dict[bytes, list[SecretPattern]] = {}
    for rule in RULES:
        if rule.kind in classes and (encoded or not rule.word.startswith(b"%")):
            found.setdefault(rule.word, []).append(rule)
    wordless = found.pop(b"", [])
    return list(found.items()), wordless


def _known(text: bytes, ids: frozenset[bytes], masks: Set[int]) -> Iterator[Span[bytes]]:
    """`masks`: where something else is masked, which is no letter any more."""
    if len(ids) <= FEW and all(at < 0 for at in map(text.find, ids)):
        return
    beginnings = _by_beginning(ids)
    for start in _STARTS.finditer(text) if beginnings else ():
        for each in beginnings.get(start[1], ()):
            end = start.start() + len(each)
            if text.startswith(each, start.start()) and (end in masks or not text[end : end + 1].isalnum()):
                yield Span(start.start(), end, ACCOUNT, end)


@functools.lru_cache(maxsize=64)
def _by_beginning(ids: frozenset[bytes]) -> Mapping[bytes, tuple[bytes, ...]]:
    found: dict[bytes, tuple[bytes, ...]] = {}
    for each in ids:
        if len(each) >= SHORTEST_ID:
            found[each[:SHORTEST_ID]] = (*found.get(each[:SHORTEST_ID], ()), each)
    return found
