"""A token in the forms in which a server may repeat it: as it is, escaped as JSON, a script, a URL or a page has it, in
UTF-16 or UTF-32, also several times over, and in base64, also in lines."""

import base64
import bisect
import functools
import re
from collections import OrderedDict
from typing import Final

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
"""What is between the lines of base64, which says nothing, and what is escaped in it."""
_WIDE: Final = re.compile(rb"\0+")
"""What UTF-16 and UTF-32 put between characters."""
_JWT: Final = re.compile(rb"eyJ[\w-]{8,}\.[\w-]+\.[\w-]+")
_MOST_SENT: Final = 4096
_BEGINNING: Final = 16
"""Bytes that are looked for first: that is much quicker than to look for all."""
_SHORTEST_LINE: Final = 40
"""Characters of a line of base64. Of two pieces of its beginning, one is in one line then."""


class TokenForms:
    """Of one token. What is found is replaced by a mark of the same length, so that lengths stay true."""

    def __init__(self, token: bytes) -> None:
        self.token = token
        coded = _in_base64(token)
        self._shortest = min(len(token), *(len(each) for each in coded))
        self._first = token[:_BEGINNING]
        self._coded = [(each, each[:_BEGINNING], each[_SHORTEST_LINE - _BEGINNING : _SHORTEST_LINE]) for each in coded]
        """Each form in base64, and two pieces of its beginning."""

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
        for form, first, second in self._coded:
            if first in data or (len(second) == _BEGINNING and second in data):
                data = _without(form, data.replace(form, _mark(len(form))) if form in data else data, _IN_LINES)
        if b"\0" in data:
            data = _without(self.token, data, _WIDE)
        return _without(self.token, data, _ESCAPE) if _has_escapes(data) else data

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


def _without(form: bytes, data: bytes, written: re.Pattern[bytes]) -> bytes:
    """Without the form where `written` stands in between, for what it means; the same object if there is none."""
    if form not in written.sub(_meaning, data):
        return data
    plain, borders, places, at = bytearray(), [0], [0], 0
    for found in written.finditer(data):
        plain += data[at : found.start()]
        borders.append(len(plain))
        places.append(found.start())
        plain += _meaning(found)
        borders.append(len(plain))
        places.append(at := found.end())
    plain += data[at:]
    kept, done, begin = [], 0, plain.find(form)
    while begin >= 0:
        end = begin + len(form)
        last = bisect.bisect_right(borders, begin) - 1  # behind a line end
        next_ = bisect.bisect_left(borders, end)  # and before one
        begins = places[last] + begin - borders[last]
        ends = places[next_] if borders[next_ : next_ + 1] == [end] else places[next_ - 1] + end - borders[next_ - 1]
        kept += [data[done:begins], _mark(ends - begins)]
        done, begin = ends, plain.find(form, end)
    return b"".join([*kept, data[done:]])


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
