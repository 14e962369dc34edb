"""The edge's cookies, kept apart by account: what was set for one does not go with another's token.

The client has one jar for all accounts (docs/codex-wire.md section 2.4). In memory only, and bounded.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from mitmproxy import http

from accounts.choice.pool import Lease

NAMES: Final = frozenset({b"__cf_bm", b"_cfuvid", b"cf_clearance", b"__cflb", b"__cfruid", b"__cfseq"})
"""The cookies of the edge; it is these that the official client keeps. All others are the client's business."""
MOST_ACCOUNTS: Final = 1_024
MOST_ISSUED: Final = 4_096
LONGEST_VALUE: Final = 4_096

type Field = tuple[bytes, bytes]
type Unwanted = Callable[[bytes, bytes], bool]
"""Asked of a name and the pair it is in."""


class Issuer(NamedTuple):
    """For whom a cookie was set: an account of the pool by its key, or with "" the client's own login."""

    key: str
    account_id: bytes


@dataclass(frozen=True, slots=True)
class Cookie:
    """`name=value`, and until when it holds (seconds since the epoch)."""

    pair: bytes = field(repr=False)
    until: float


class AccountCookies:
    """What was set for which account of the pool, and for whom what the client sends was set."""

    def __init__(self) -> None:
        self._jars: OrderedDict[str, dict[bytes, Cookie]] = OrderedDict()
        self._issued: OrderedDict[int, Issuer] = OrderedDict()

    # What answers bring

    def served(self, lease: Lease, response: http.Response, now: float) -> None:
        """An answer to a request with an account's token."""
        for value in _set_by(response):
            cookie = _read(value, now)
            if cookie is None:
                continue
            self._note(cookie.pair, Issuer(lease.key, lease.account.account_id.encode()))
            jar = self._jars.setdefault(lease.key, {})
            self._jars.move_to_end(lease.key)
            name = cookie.pair.partition(b"=")[0]
            if cookie.until > now:
                jar[name] = cookie
            else:
                jar.pop(name, None)
        while len(self._jars) > MOST_ACCOUNTS:
            self._jars.popitem(last=False)

    def answered(self, account_id: bytes, response: http.Response) -> None:
        """An answer to a request with the client's own token."""
        for value in _set_by(response):
            cookie = _read(value, now=0.0)
            if cookie is not None:
                self._note(cookie.pair, Issuer("", account_id))

    def _note(self, pair: bytes, issuer: Issuer) -> None:
        self._issued[hash(pair)] = issuer
        self._issued.move_to_end(hash(pair))
        while len(self._issued) > MOST_ISSUED:
            self._issued.popitem(last=False)

    # What requests take along

    def of(self, lease: Lease) -> dict[bytes, bytes]:
        """The account's own, as pairs by their names."""
        jar = self._jars.get(lease.key)
        return {name: each.pair for name, each in jar.items() if each.until > lease.at} if jar else {}

    def left_of(self, value: bytes, lease: Lease, own: dict[bytes, bytes]) -> bytes:
        """Of a `cookie` field of the client's, what may go with the account's token, beside its own."""
        return _without(value, lambda name, pair: name in own or self._is_foreign(pair, lease))

    def without_managed(self, fields: tuple[Field, ...], account_id: bytes) -> tuple[Field, ...]:
        """The client's own request without what was set for an account of the pool that is another one. The very same
        fields where there is nothing of that."""
        if not (account_id and self._issued and any(name.lower() == b"cookie" for name, _ in fields)):
            return fields
        left = [
            (name, _without(value, lambda _, pair: self._is_managed(pair, account_id)))
            if name.lower() == b"cookie"
            else (name, value)
            for name, value in fields
        ]
        return tuple(pair for pair in left if pair[1] or pair[0].lower() != b"cookie")

    def _is_foreign(self, pair: bytes, lease: Lease) -> bool:
        issuer = self._issued.get(hash(pair))
        if issuer is None or issuer.key == lease.key:
            return False
        return bool(issuer.key) or issuer.account_id != lease.account.account_id.encode()

    def _is_managed(self, pair: bytes, account_id: bytes) -> bool:
        issuer = self._issued.get(hash(pair))
        return issuer is not None and issuer.account_id != account_id


def _set_by(response: http.Response) -> list[bytes]:
    return [value for name, value in response.headers.fields if name.lower() == b"set-cookie"]


def _without(value: bytes, unwanted: Unwanted) -> bytes:
    """A `cookie` field without some of the edge's; the very same bytes where nothing is left out."""
    pairs = [pair.strip(b" \t") for pair in value.split(b";")]
    left = [pair for pair in pairs if not ((name := pair.partition(b"=")[0]) in NAMES and unwanted(name, pair))]
    return value if len(left) == len(pairs) else b"; ".join(left)


def _read(value: bytes, now: float) -> Cookie | None:
    """A `set-cookie` field; None for what is none of the edge's, or longer than such a cookie is."""
    pair, *attributes = (part.strip(b" \t") for part in value.split(b";"))
    if pair.partition(b"=")[0] not in NAMES or len(pair) > LONGEST_VALUE:
        return None
    until = float("inf")
    for attribute in attributes:
        name, _, said = attribute.partition(b"=")
        match name.lower():
            case b"max-age":
                return Cookie(pair, _after(said, now, until))
            case b"expires":
                until = _date(said, until)
    return Cookie(pair, until)


def _after(said: bytes, now: float, otherwise: float) -> float:
    try:
        return now + int(said)
    except ValueError:
        return otherwise


def _date(said: bytes, otherwise: float) -> float:
    try:
        return parsedate_to_datetime(said.decode("ascii", "replace")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return otherwise
