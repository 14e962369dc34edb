"""A token in the forms in which a server may repeat it: as it is, escaped as JSON, a script, a URL or a page has it, in
UTF-16 or UTF-32, also several times over; in base64; in quoted-printable; and as its bytes, in hexadecimal or decimal
numbers; all of them also in lines."""

import base64
import bisect
import functools
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from addons.redaction.flows import MARK

_PERCENT: Final = rb"%(?:25){0,3}"
_BACKSLASH: Final = rb"(?:\\|%(?:25){0,3}5[Cc]){1,8}"
"""JSON within JSON has two, and four when that is within JSON again."""
_AMPERSAND: Final = rb"(?:&|" + _BACKSLASH + rb"u0026|" + _PERCENT + rb"26)(?:amp;){0,3}"
_ESCAPED: Final = (
    _AMPERSAND
    + rb"#(?:[xX]0*([0-9A-Fa-f]{2})|0*([0-9]{2,3}));|"
    + _BACKSLASH
    + rb"(?:(?:u00|x)([0-9A-Fa-f]{2})|/|%(?:25){0,3}2[Ff])|"
    + _PERCENT
    + rb"([0-9A-Fa-f]{2})"
)
_DECIMAL: Final = 2
"""The group of it that is no hexadecimal number."""
_ESCAPE: Final = re.compile(_ESCAPED)
_LINE_END: Final = rb"[\r\n\t ]+|" + _BACKSLASH + rb"(?:[rnt]|u000[9ADad])|" + _PERCENT + rb"0[9ADad]"
_IN_LINES: Final = re.compile(_LINE_END + rb"|" + _ESCAPED)
"""What is between the lines of a form, which says nothing, and what is escaped in it."""
_EQUALS: Final = rb"(?:=|" + _BACKSLASH + rb"u003[Dd]|" + _PERCENT + rb"3[Dd])"
_QUOTED: Final = re.compile(
    _EQUALS + rb"(?:" + _LINE_END + rb")|" + _LINE_END + rb"|" + _ESCAPED + rb"|=([0-9A-Fa-f]{2})"
)
"""The same in quoted-printable (RFC 2045, section 6.7), which has `=` at the end of its lines."""
_WIDE: Final = re.compile(rb"\0+")
"""What UTF-16 and UTF-32 put between characters."""
_BETWEEN_PAIRS: Final = re.compile(rb"(?:" + _LINE_END + rb"|[:,;-]|0[xX])+")
"""What dumps have between the hexadecimal numbers of two bytes."""
_BETWEEN_NUMBERS: Final = re.compile(rb"(?:" + _LINE_END + rb"|,)+")
_JWT: Final = re.compile(rb"eyJ[\w-]{8,}\.[\w-]+\.[\w-]+")
_MOST_SENT: Final = 4096
_BEGINNING: Final = 16
"""Bytes that are looked for first: that is much quicker than to look for all."""
_SHORTEST_LINE: Final = 40
"""Characters of a line. Of two pieces of a form's beginning, one is in one line then."""
LONGEST_FORM: Final = 6
"""Characters for one of the token, with what is between: `0x2e, `, and `\\u002e`."""


class _Spelling(NamedTuple):
    """One of a token's forms, however it is interrupted."""

    form: bytes
    between: re.Pattern[bytes]
    """What may stand in it, and means what `means` says."""
    means: Callable[[re.Match[bytes]], bytes]
    any_case: bool = False

    def without(self, data: bytes) -> bytes:
        """The same object if the form is not in it."""
        if self.form not in self._read(self.between.sub(self.means, data)):
            return data
        plain, borders, places, at = bytearray(), [0], [0], 0
        for found in self.between.finditer(data):
            plain += data[at : found.start()]
            borders.append(len(plain))
            places.append(found.start())
            plain += self.means(found)
            borders.append(len(plain))
            places.append(at := found.end())
        plain += data[at:]
        text, kept, done = self._read(bytes(plain)), [], 0
        begin = text.find(self.form)
        while begin >= 0:
            end = begin + len(self.form)
            last = bisect.bisect_right(borders, begin) - 1  # behind a line end
            next_ = bisect.bisect_left(borders, end)  # and before one
            begins = places[last] + begin - borders[last]
            ends = (
                places[next_] if borders[next_ : next_ + 1] == [end] else places[next_ - 1] + end - borders[next_ - 1]
            )
            kept += [data[done:begins], _mark(ends - begins)]
            done, begin = ends, text.find(self.form, end)
        return b"".join([*kept, data[done:]])

    def _read(self, plain: bytes) -> bytes:
        return plain.lower() if self.any_case else plain


class TokenForms:
    """Of one token. What is found is replaced by a mark of the same length, so that lengths stay true."""

    def __init__(self, token: bytes) -> None:
        self.token = token
        self._first = token[:_BEGINNING]
        self._spellings = tuple(_spellings(token))
        self._shortest = min(len(token), *(len(each.form) for _, each in self._spellings))
        self._escaped = _Spelling(token, _ESCAPE, _meaning)

    @classmethod
    @functools.lru_cache(maxsize=256)
    def of(cls, token: bytes) -> "TokenForms":
        return cls(token)

    def replaced(self, data: bytes) -> bytes:
        """The same object if no form is in it."""
        if len(data) >= self._shortest:
            data = self._without_own(data)
        return SENT.replaced(data)

    def _without_own(self, data: bytes) -> bytes:
        if self._first in data and self.token in data:
            data = data.replace(self.token, _mark(len(self.token)))
        for hint, spelling in self._spellings:
            if hint in data:
                data = spelling.without(data)
        return self._escaped.without(data) if _has_escapes(data) else data

    def beginning_at_the_end(self, data: bytes) -> int:
        """How many bytes at the end may be the token's first ones."""
        if data.endswith(b"\n"):  # as an event does
            return 0
        last, token = data[1 - len(self.token) :], self.token
        at = last.find(token[:1])
        while at >= 0 and not token.startswith(last[at:]):
            at = last.find(token[:1], at + 1)
        return len(last) - at if at >= 0 else 0


class SentTokens:
    """All that this process has sent, the newest ones: a server may tell one account what another has said to it. They
    are found as they are, where they look like the provider's tokens."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def add(self, token: bytes) -> None:
        self._known[token] = None
        self._known.move_to_end(token)
        while len(self._known) > _MOST_SENT:
            self._known.popitem(last=False)

    def replaced(self, data: bytes) -> bytes:
        """The same object if none is in it."""
        if b"eyJ" not in data or not any(each in self._known for each in _JWT.findall(data)):
            return data
        return _JWT.sub(lambda found: _mark(len(found[0])) if found[0] in self._known else found[0], data)


SENT: Final = SentTokens()
"""Of this process, by all its attempts."""


def _spellings(token: bytes) -> Iterator[tuple[bytes, _Spelling]]:
    """All but the escaped one, each beside what is in any text that has it, and quickly looked for."""
    for form in _in_base64(token):
        yield from _in_lines(_Spelling(form, _IN_LINES, _meaning))
    quoted = _Spelling(token, _QUOTED, _meaning)
    yield from _in_lines(quoted)
    one, two = token[:2]
    for each in dict.fromkeys((b"=%02X=%02X" % (one, two), b"=%02x=%02x" % (one, two))):
        yield each, quoted
    pairs = _Spelling(token.hex().encode(), _BETWEEN_PAIRS, _nothing, any_case=True)
    first = token[: _BEGINNING // 4].hex().encode()
    apart = (b"%02x %02x", b"%02x:%02x", b"%02x-%02x", b"%02x%02x ")
    hints = [first, b"0x%02x" % one, *(each % (one, two) for each in apart)]
    for each in dict.fromkeys([*hints, *(each.upper().replace(b"0X", b"0x") for each in hints)]):
        yield each, pairs
    numbers = _Spelling(b",".join(b"%d" % each for each in token), _BETWEEN_NUMBERS, _comma)
    for each in (b"%d,%d", b"%d %d", b"%d, %d"):
        yield each % (one, two), numbers
    yield b"%d,\n" % one, numbers
    yield b"%d,\\n" % one, numbers
    yield b"\0", _Spelling(token, _WIDE, _nothing)


def _in_lines(spelling: _Spelling) -> Iterator[tuple[bytes, _Spelling]]:
    """Of two pieces of its beginning one is in one line."""
    yield spelling.form[:_BEGINNING], spelling
    yield spelling.form[:_SHORTEST_LINE][-_BEGINNING:], spelling


def _has_escapes(data: bytes) -> bool:
    """One sign is found much quicker than two, and mostly is not there."""
    if b"%" in data or b"&#" in data or b"amp;#" in data:
        return True
    return b"\\" in data and (b"\\u00" in data or b"\\/" in data or b"\\x" in data)


def _meaning(found: re.Match[bytes]) -> bytes:
    if found.lastindex is None:
        return b"/" if found[0].endswith((b"/", b"2F", b"2f")) else b""
    code = int(found[found.lastindex], 10 if found.lastindex == _DECIMAL else 16)
    return bytes([code]) if code < 256 else found[0]


def _nothing(_: re.Match[bytes]) -> bytes:
    return b""


def _comma(_: re.Match[bytes]) -> bytes:
    return b","


def _mark(length: int) -> bytes:
    return MARK[:length].ljust(length, b"*")


def _in_base64(token: bytes) -> tuple[bytes, ...]:
    """What is the same of its base64 wherever in a text it begins, in both alphabets: without the characters at either
    end in which its neighbours have a part."""
    forms = []
    for before in range(3):
        text = bytes(before) + token
        whole = base64.b64encode(text + bytes(-len(text) % 3))
        first = -(-before * 8 // 6)
        last = len(text) * 8 // 6
        forms.append(whole[first:last])
    return tuple(dict.fromkeys([*forms, *(each.translate(bytes.maketrans(b"+/", b"-_")) for each in forms)]))
