"""What is masked in text that is shown or saved: what looks like a token, a password or an e-mail address, and ids of
accounts that are known. Pure.

Looking has to be cheap: bodies are large and rarely hold a secret. So each rule names a word that must be there, found
without a regular expression; only around that its patterns are tried.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAIL: Final = b"[e-mail]"
TOKEN: Final = b"[token]"
SECRET: Final = b"[secret]"
ACCOUNT: Final = b"[account id]"

MOST_BEFORE: Final = 64
"""Bytes in front of a word that its rule may look at."""


def _looks_random(value: bytes) -> bool:
    """Neither a number, which counts tokens, nor a word of a programme, which names one."""
    return not value.isdigit() and (len(value) >= 24 or any(48 <= each < 58 for each in value))


def _always(_: bytes) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`word`, in lower case, has to be there; what is before it has to match `before`, and from it on `after`. What is
    masked is the match's group 1 if it has one, else all of both."""

    word: bytes
    after: re.Pattern[bytes]
    shown: bytes
    before: re.Pattern[bytes] | None = None
    wanted: Callable[[bytes], bool] = _always


def _named(name: bytes, shown: bytes, wanted: Callable[[bytes], bool]) -> Rule:
    """`name=value` and `"name": "value"`, also with its quotes escaped, and whatever else the name ends in."""
    quote = rb"""(?:\\{0,3}["'])?"""
    value = rb"""([^\s"'\\,;&<>(){}\[\]]{4,})"""
    pattern = re.escape(name) + rb"[\w-]{0,40}" + quote + rb"\s{0,4}[:=]\s{0,4}" + quote + value
    return Rule(word=name, after=re.compile(pattern, re.IGNORECASE), shown=shown, wanted=wanted)


def _scheme(name: bytes) -> Rule:
    pattern = re.compile(name + rb"(?:\s|%20|\+){1,4}([\w.~+/=-]{6,})", re.IGNORECASE)
    return Rule(word=name, after=pattern, shown=TOKEN, wanted=_looks_random)


def _beginning(word: bytes, rest: bytes, shown: bytes) -> Rule:
    """A token that begins with `word`, where no other word ends in that."""
    return Rule(word=word, before=_BOUNDARY, after=re.compile(b"(" + re.escape(word) + rest + b")"), shown=shown)


_BOUNDARY: Final = re.compile(rb"(?:\A|[^\w-])\Z")
_LOCAL_PART: Final = re.compile(rb"[\w.+'%\x80-\xff-]{1,64}\Z")
_DOMAIN: Final = rb"[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z][\w-]{0,62}"
_COOKIES: Final = rb"""cookie\\{0,3}["']?\s{0,4}[:=]\s{0,4}\\{0,3}["']?([^\s"'\\\[][^\r\n"'\\]{3,})"""
_TOKENS: Final = (b"token", b"secret", b"api_key", b"api-key", b"apikey", b"authorization")
_IDS: Final = (b"account_id", b"account-id", b"accountid", b"user_id", b"userid", b"organization_id")

RULES: Final = (
    Rule(word=b"@", before=_LOCAL_PART, after=re.compile(b"@" + _DOMAIN), shown=MAIL),
    Rule(word=b"%40", before=_LOCAL_PART, after=re.compile(b"%40" + _DOMAIN), shown=MAIL),
    Rule(word=b"eyj", after=re.compile(rb"eyJ[\w-]{8,}(?:\.[\w-]*){0,4}"), shown=TOKEN),
    _beginning(b"sk-", rb"[\w-]{12,}", TOKEN),
    _beginning(b"rt_", rb"[\w-]{12,}", TOKEN),
    _beginning(b"user-", rb"[A-Za-z0-9]{16,}", ACCOUNT),
    _scheme(b"bearer"),
    _scheme(b"basic"),
    Rule(word=b"cookie", after=re.compile(_COOKIES, re.IGNORECASE), shown=SECRET),
    *(_named(name, SECRET, _looks_random) for name in _TOKENS),
    _named(b"passw", SECRET, _always),
    *(_named(name, ACCOUNT, _looks_random) for name in _IDS),
)
SHORTEST_ID: Final = 5
"""Bytes. A shorter id is a word like any other, and stays."""
FEW: Final = 32
"""So many known ids are first looked for one by one: mostly none is there."""
_STARTS: Final = re.compile(rb"(?<![A-Za-z0-9])(?=([\w-]{5}))")


def masked(text: bytes, ids: frozenset[bytes] = frozenset()) -> bytes:
    """The text with each secret replaced; the same object if there is none. `ids` are masked where neither a
    letter nor a digit stands next to them. Masking what is masked already changes nothing."""
    spans = [*_found(text), *_known(text, ids)]
    if not spans:
        return text
    parts, end = [], 0
    for start, stop, shown in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= end:
            parts += [text[end:start], shown]
        end = max(end, stop)
    return b"".join([*parts, text[end:]])


type Span = tuple[int, int, bytes]


def _found(text: bytes) -> Iterator[Span]:
    folded = text.lower()
    for rule in RULES:
        at = folded.find(rule.word)
        while at >= 0:
            span = _at(rule, text, at)
            if span is not None:
                yield span
            at = folded.find(rule.word, max(at + 1, span[1] if span else 0))


def _at(rule: Rule, text: bytes, at: int) -> Span | None:
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
    return start, stop, rule.shown


def _known(text: bytes, ids: frozenset[bytes]) -> Iterator[Span]:
    if len(ids) <= FEW and not any(each in text for each in ids):
        return
    beginnings = _by_beginning(ids)
    for start in _STARTS.finditer(text) if beginnings else ():
        for each in beginnings.get(start[1], ()):
            end = start.start() + len(each)
            if text.startswith(each, start.start()) and not text[end : end + 1].isalnum():
                yield start.start(), end, ACCOUNT


@functools.lru_cache(maxsize=64)
def _by_beginning(ids: frozenset[bytes]) -> Mapping[bytes, tuple[bytes, ...]]:
    found: dict[bytes, tuple[bytes, ...]] = {}
    for each in ids:
        if len(each) >= SHORTEST_ID:
            found[each[:SHORTEST_ID]] = (*found.get(each[:SHORTEST_ID], ()), each)
    return found
