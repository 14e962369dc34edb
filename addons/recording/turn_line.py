"""What is said of a turn that is over, in one line: who asked, who answered, how it ended, what it cost. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from accounts.choice.outcomes import Kind
from accounts.people.keys import LOCAL
from addons.inspection.answer import Tokens, tokens_of
from addons.recording import annotations
from config.numbers import short

ROOM: Final = 91
"""Columns of a line, so that it fits a hundred with the time before it."""
MOST_USAGE: Final = 4096
WARM_UP: Final = "warm-up"
COMPACTION: Final = "compaction"
ENDS: Final[Mapping[str, str]] = {
    "delivered": "ok",
    "continued on another account": "ok, continued",
    "broken off by upstream": "broken off",
    "given up after a long silence": "given up, upstream fell silent",
    annotations.OURS: "refused by codex-rotate",
    annotations.RECONNECTS: "told to reconnect, did not",
}
"""What is said of what became of a turn; anything else is said as it is."""

_NO_TURN: Final = re.compile(r"/codex/(?:responses/|alpha/)?(compact|search|images|memories)\b")
_KIND: Final = re.compile(r'"request_kind"\s*:\s*"(\w+)"')
_WARM_UP: Final = re.compile(rb'"generate"\s*:\s*false')
_NAME: Final = re.compile(r"[\w.-]{1,24}")
_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{')

type Asked = tuple[str, int, str]
"""An account that was asked, the status of its answer (0: none is known), and what that meant."""


class Told(NamedTuple):
    """What a line is made of. `purpose` names what is no turn of the user's; `began` is in epoch seconds. `rule` is the
    one of the pool's owner that has refused it."""

    client: str = ""
    thread: str = ""
    model: str = ""
    asked: tuple[Asked, ...] = ()
    nobody: bool = False
    done: str = "delivered"
    seconds: float = 0.0
    tokens: Tokens | None = None
    purpose: str = ""
    began: float = 0.0
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How much is said of what could be said in fewer words."""

    cached: bool = True
    thread: int = 8
    client: int = 24
    tokens: bool = True


_FORMS: Final = (
    _Form(),
    _Form(cached=False),
    _Form(cached=False, thread=4),
    _Form(cached=False, thread=4, client=5),
    _Form(cached=False, thread=4, client=5, tokens=False),
)


def line(told: Told, room: int = ROOM) -> str:
    """The line. What is least needed goes first where there is no room; it is longer rather than cut off."""
    said = ""
    for form in _FORMS:
        said = _line(told, form)
        if len(said) <= room:
            break
    return said


def _line(told: Told, form: _Form) -> str:
    who = " ".join(filter(None, (told.client[: form.client], told.thread[-form.thread :], told.model)))
    accounts = [_account(each) for each in told.asked] + (["nobody left"] if told.nobody else [])
    refused = told.done == "delivered" and told.asked and has_failed(told.asked[-1])
    end = "passed on" if refused else ENDS.get(told.done, told.done)
    if told.rule:
        end = f"{end}: {told.rule.replace('_', ' ')}"
    used = _used(told.tokens, form) if told.tokens is not None and form.tokens else ""
    return "  ".join(filter(None, (who, told.purpose, " → ".join(accounts), end, _took(told.seconds), used)))


def _account(asked: Asked) -> str:
    account, status, kind = asked
    if not has_failed(asked):
        return account
    return " ".join(filter(None, (account, str(status) if status else "", kind.replace("_", " "))))


def has_failed(asked: Asked) -> bool:
    """Whether an account could not answer. That the client left is no failure of anybody's."""
    return asked[2] not in annotations.FINE and asked[2] != Kind.CLIENT_GONE


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 99.95 else f"{seconds:.0f} s"


def _used(tokens: Tokens, form: _Form) -> str:
    given = f"{short(tokens.given)} in" if tokens.given is not None else ""
    cached = f"({short(tokens.cached)} cached)" if tokens.cached and form.cached else ""
    made = f"{short(tokens.made)} out" if tokens.made is not None else ""
    return " ".join(filter(None, (given, cached, made)))


def client_name(key: str, header: Callable[[str], str | None]) -> str:
    """Who asked: the name of the client's key, else what the client calls itself."""
    if key and key != LOCAL:
        return key
    for said in (header("originator"), header("user-agent")):
        found = _NAME.match(said or "")
        if found:
            return found[0]
    return ""


def purpose_of(path: str, metadata: str | None) -> str:
    """What a request is for that is no turn of the user's, by its path or its turn metadata; "" for a turn."""
    found = _NO_TURN.search(path.partition("?")[0])
    if found:
        return COMPACTION if found[1] == "compact" else found[1]
    kind = _KIND.search(metadata or "")
    return {"prewarm": WARM_UP, "compaction": COMPACTION}.get(kind[1], "") if kind else ""


def purpose_in(message: bytes) -> str:
    """The same of a request on a socket, by its body."""
    if b'"generate"' in message and _WARM_UP.search(message):
        return WARM_UP
    return COMPACTION if b'"compaction_trigger"' in message else ""


def tokens_in(event: bytes) -> Tokens | None:
    """What an answer has used, by the event that ends it. Only the part that says so is decoded."""
    places = list(_USAGE.finditer(event))
    if not places:
        return None
    at = places[-1].end() - 1
    try:
        usage, _ = json.JSONDecoder().raw_decode(event[at : at + MOST_USAGE].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return tokens_of(usage)
