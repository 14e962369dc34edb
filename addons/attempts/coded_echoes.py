"""A token in a body whose coding passes on: it can be seen there, and not be taken out."""

import enum

from addons.attempts.token_forms import LONGEST_FORM, TokenForms
from config import decoding


class Seen(enum.Enum):
    """What a chunk has in it, with those before."""

    NOTHING = enum.auto()
    BEGINNING = enum.auto()
    """Its end may be the beginning of the token."""
    TOKEN = enum.auto()
    UNREADABLE = enum.auto()
    """Nobody can say what else is in it: another reader may have more patience with what is damaged, or too large."""


class CodedWatch:
    """Of one body."""

    def __init__(self, forms: TokenForms, coding: str) -> None:
        self._forms = forms
        self._before = b""
        try:
            self._feed: decoding.Feed | None = decoding.decoder(coding)
        except decoding.CannotDecode:
            self._feed = None

    def look(self, chunk: bytes) -> Seen:
        if self._feed is None:
            return Seen.UNREADABLE
        try:
            plain = self._before + self._feed(chunk)
        except decoding.CannotDecode:
            self._feed = None
            return Seen.UNREADABLE
        if self._forms.replaced(plain) is not plain:
            return Seen.TOKEN
        self._before = plain[-LONGEST_FORM * len(self._forms.token) :]
        return Seen.BEGINNING if self._forms.beginning_at_the_end(plain) else Seen.NOTHING
