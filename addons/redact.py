"""Keeps credentials out of what is shown and saved: flows hold a mark where the wire has a secret. Pure.

The client's own secrets are put back when the request goes on its way, in a copy that no flow ever sees.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mitmproxy import http

MARK: Final = b"[redacted by codex-rotate]"
REQUEST: Final = (b"authorization", b"proxy-authorization", b"cookie", b"x-api-key", b"x-openai-agent-assertion")
RESPONSE: Final = (b"set-cookie",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What was taken out of headers that are shown: per lower-case name, the values in order."""

    redacted: bool = True
    secrets: Mapping[bytes, list[bytes]] = field(default_factory=dict, repr=False)

    def reveal(self, headers: http.Headers) -> http.Headers:
        """A copy with the secrets back in their places. A value that somebody has changed meanwhile stays changed."""
        left = {name: iter(values) for name, values in self.secrets.items()}
        fields = []
        for name, value in headers.fields:
            secrets = left.get(name.lower())
            secret = next(secrets, MARK) if secrets is not None else MARK  # one per field, changed or not
            fields.append((name, secret if value == MARK else value))
        return http.Headers(fields)


AS_IS: Final = Shown(redacted=False)
"""Nothing was taken out: the user asked to see the client's own secrets."""


def hide(headers: http.Headers, names: Iterable[bytes]) -> Shown:
    """Put the mark in the place of each secret."""
    secrets: dict[bytes, list[bytes]] = {}
    wanted = frozenset(names)
    if any(name.lower() in wanted for name, _ in headers.fields):
        fields = []
        for name, value in headers.fields:
            if name.lower() in wanted:
                secrets.setdefault(name.lower(), []).append(value)
                fields.append((name, MARK))
            else:
                fields.append((name, value))
        headers.fields = tuple(fields)
    return Shown(secrets=secrets)
