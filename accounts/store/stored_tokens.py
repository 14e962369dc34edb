"""Keeps the tokens of a store out of the history in it: what is recorded may quote what a provider has said."""

import re
import sqlite3
from collections.abc import Callable

from accounts.model import masked


class StoredTokens:
    """For the one connection that writes. Tokens are read when they have changed, not for each line."""

    def __init__(self) -> None:
        self._shown: dict[str, str] | None = None
        self._long = re.compile("")
        """A run of characters that is long enough to be a token: mostly there is none."""
        self._version = -1

    def forget(self) -> None:
        """They are about to be changed."""
        self._shown = None

    def masker(self, db: sqlite3.Connection) -> Callable[[str], str]:
        """What takes them out of texts, for the transaction that is open: whether others have changed them is asked
        once."""
        shown, long = self._known(db), self._long

        def masked_in(text: str) -> str:
            if shown and long.search(text):
                for token, short in shown.items():
                    text = text.replace(token, short)
            return text

        return masked_in

    def _known(self, db: sqlite3.Connection) -> dict[str, str]:
        version = int(db.execute("PRAGMA data_version").fetchone()[0])  # changes when others have written
        if self._shown is None or version != self._version:
            stored = [token for row in db.execute("SELECT access, refresh, id_token FROM credential") for token in row]
            self._shown = {token: masked(token) for token in stored if token}
            self._version = version
            shortest = min(map(len, self._shown), default=0)
            self._long = re.compile(rf"[^\s\"',:{{}}\[\]]{{{shortest}}}")
        return self._shown
