"""A token in the forms in which a server may repeat it: as it is, escaped as JSON or as a URL has it, and in base64."""

import base64
import functools
import re
from collections import OrderedDict
from typing import Final

from addons.redaction.flows import MARK

_ESCAPE: Final = re.compile(rb"\\u00([0-9A-Fa-f]{2})|%([0-9A-Fa-f]{2})|\\(/)")
_JWT: Final = re.compile(rb"eyJ[\w-]{8,}\.[\w-]+\.[\w-]+")
_MOST_SENT: Final = 4096
_BEGINNING: Final = 16
"""Bytes that are looked for first: that is much quicker than to look for all."""


class TokenForms:
    """Of one token. What is found is replaced by a mark of the same length, so that lengths stay true."""

    def __init__(self, token: bytes) -> None:
        self.token = token
        self._shortest = min(len(token), *(len(each) for each in _in_base64(token)))
        self._coded = _in_base64(token)

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
        for form in (self.token, *self._coded):
            if form[:_BEGINNING] in data and form in data:
                data = data.replace(form, _mark(len(form)))
        if _has_escapes(data) and self.token in _ESCAPE.sub(_unescaped, data):
            data = self._escaped.sub(lambda found: _mark(len(found[0])), data)
        return data

    def beginning_at_the_end(self, data: bytes) -> int:
        """How many bytes at the end may be the token's first ones."""
        if data.endswith(b"\n"):  # as an event does
            return 0
        last, token = data[1 - len(self.token) :], self.token
        at = last.find(token[:1])
        while at >= 0 and not token.startswith(last[at:]):
            at = last.find(token[:1], at + 1)
        return len(last) - at if at >= 0 else 0

    @functools.cached_property
    def _escaped(self) -> re.Pattern[bytes]:
        """Every character as it is or escaped. It takes a while to make, and is hardly ever needed."""
        return re.compile(b"".join(_either_way(each) for each in self.token))


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


def _either_way(character: int) -> bytes:
    code = b"(?i:%02x)" % character
    slash = rb"|\\/" if character == ord("/") else b""
    return b"(?:%b|\\\\u00%b|%%%b%b)" % (re.escape(bytes([character])), code, code, slash)


def _has_escapes(data: bytes) -> bool:
    """One sign is found much quicker than two, and mostly is not there."""
    return b"%" in data or (b"\\" in data and (b"\\u00" in data or b"\\/" in data))


def _unescaped(found: re.Match[bytes]) -> bytes:
    return found[3] or bytes.fromhex((found[1] or found[2]).decode())


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
