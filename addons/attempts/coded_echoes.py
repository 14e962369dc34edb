"""A token in a body whose coding passes on: it can be seen there, and not be taken out."""

import enum
from typing import Final

from addons.attempts.token_forms import TokenForms
from config import decoding

_LONGER: Final = 2
"""A form that was seen in part is looked for in so many times the token's length: base64 is a third longer."""


class Seen(enum.Enum):
    """What a chunk has in it, with those before."""

    NOTHING = enum.auto()
    BEGINNING = enum.auto()
    """Its end may be the beginning of the token."""
    TOKEN = enum.auto()


class CodedWatch:
    """Of one body. What cannot be decoded says nothing to its client either."""

    def __init__(self, forms: TokenForms, coding: str) -> None:
        self._forms = forms
        self._before = b""
        try:
            self._feed: decoding.Feed | None = decoding.decoder(coding)
        except decoding.CannotDecode:
            self._feed = None

    def look(self, chunk: bytes) -> Seen:
        if self._feed is None:
            return Seen.NOTHING
        try:
            plain = self._before + self._feed(chunk)
        except decoding.CannotDecode:
            self._feed = None
            return Seen.NOTHING
        if self._forms.replaced(plain) is not plain:
            return Seen.TOKEN
        self._before = plain[-_LONGER * len(self._forms.token) :]
        return Seen.BEGINNING if self._forms.beginning_at_the_end(plain) else Seen.NOTHING
