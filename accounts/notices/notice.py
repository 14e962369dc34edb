"""What is sent: one JSON object, the same for a command and a webhook, and how the second one is signed. Pure.

Nothing in it is a secret: labels of accounts and names of people are what their owner called them.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from accounts.notices.conditions import Condition, ConditionName
from accounts.notices.occurrences import Occurrence
from config.notify import NoticeKind

LONGEST_TEXT: Final = 1_000
"""Characters."""
TIMESTAMP: Final = "x-codex-rotate-timestamp"
SIGNATURE: Final = "x-codex-rotate-signature"
"""Headers of a webhook."""


def notice(told: Occurrence, *, test: bool = False) -> dict[str, Any]:
    """As programs read it. Times are in seconds since the epoch; `id` is the same whenever it is sent again."""
    condition = told.condition
    return {
        "product": "codex-rotate",
        "id": told.id,
        "event": str(told.name.kind),
        "since": round(told.since, 3),
        "text": condition.text[:LONGEST_TEXT],
        "account": condition.account or None,
        "person": condition.person or None,
        "percent": condition.percent,
        "until": condition.until,
        "test": test,
    }


def as_body(told: Mapping[str, Any]) -> bytes:
    """What is written to a command, and posted to a webhook."""
    return json.dumps(told, ensure_ascii=True).encode()


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """`v1=` and HMAC-SHA256, in hexadecimal digits, of the timestamp, a dot and the body."""
    return "v1=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


_SAMPLES: Final[Mapping[NoticeKind, str]] = {
    NoticeKind.LOGIN_NEEDED: "how an account that needs a login is told.",
    NoticeKind.LOGIN_ENDS: "how a login that ends soon is told.",
    NoticeKind.CERTIFICATE_ENDS: "how a certificate that ends soon is told.",
    NoticeKind.POOL_DRY: "how it is told that nobody serves.",
    NoticeKind.POOL_BACK: "how it is told that somebody serves again.",
    NoticeKind.POOL_LEFT: "how it is told that little is left of the pool.",
    NoticeKind.OVER_BUDGET: "how a person is told who has used up a budget.",
}
_ABOUT_ACCOUNTS: Final = frozenset({NoticeKind.LOGIN_NEEDED, NoticeKind.LOGIN_ENDS})


def sample(kind: NoticeKind, now: float) -> Occurrence:
    """What `notify test` sends."""
    condition = Condition(
        name=ConditionName(kind, "test"),
        text=f"A test: this is {_SAMPLES[kind]}",
        account="example" if kind in _ABOUT_ACCOUNTS else "",
        person="example" if kind is NoticeKind.OVER_BUDGET else "",
        percent=20 if kind is NoticeKind.POOL_LEFT else None,
    )
    return Occurrence(condition=condition, since=now)
