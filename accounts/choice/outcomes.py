"""From what upstream did to what it means: two tables, no I/O, no clock.

SIGNS names what was seen (a status, an error code, a header) and RULES says what follows from it. A new kind of failure
is one row in each, and one in tests/accounts/choice/test_outcomes.py. Facts about the codes: docs/codex-wire.md
section 3.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple

from accounts.choice.reset_times import reset_time
from accounts.model import Standing
from accounts.provider.error_places import described

JsonObject = Mapping[str, object]


class Kind(StrEnum):
    """What happened to one attempt."""

    OK = "ok"
    UPGRADED = "upgraded"
    """A socket was opened. That shows the credentials to be good, and no more: limits arrive inside it."""
    USAGE_LIMIT = "usage_limit"
    NO_CREDIT = "no_credit"
    BURST_LIMIT = "burst_limit"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    HEAD_TIMEOUT = "head_timeout"
    CONNECT_FAILED = "connect_failed"
    PROXY_FAILED = "proxy_failed"
    """The proxy between us and the internet (`upstream_proxy`) gave no connection."""
    NO_DESCRIPTORS = "no_descriptors"
    """This machine lets the proxy open no more connections."""
    RESET = "reset"
    STALLED = "stalled"
    TRUNCATED = "truncated"
    FAILED_IN_STREAM = "failed_in_stream"
    FAILED_AFTER_OUTPUT = "failed_after_output"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a name, not a password
    TOKEN_INVALIDATED = "token_invalidated"  # noqa: S105 - a name, not a password
    REFRESH_FAILED = "refresh_failed"
    DEACTIVATED = "deactivated"
    CHALLENGE = "challenge"
    FORBIDDEN = "forbidden"
    UNEXPLAINED = "unexplained"
    """Refused without a code that would say whether the request or the account is meant: another account tells."""
    REFUSED_ALONE = "refused_alone"
    """What was unexplained, once another account has served the same request."""
    PAYMENT_REQUIRED = "payment_required"
    NO_ANSWER = "no_answer"
    """A success by its status, without an answer: empty, a page, a redirect."""
    STALE = "stale_connection"
    """A connection that was kept had been closed by the other side: nobody has read the request."""
    SOCKET_CLOSED = "socket_closed"
    """A WebSocket was accepted, and closed before it said anything."""
    TOO_LARGE = "message_too_large"
    """A message was too large for a WebSocket."""
    UNSUPPORTED_MODEL = "unsupported_model"
    INVALID_SEALED = "invalid_encrypted_content"
    UNKNOWN_RESPONSE = "previous_response_not_found"
    UPGRADE_REFUSED = "upgrade_refused"
    REQUEST_FAULT = "request_fault"
    CLIENT_GONE = "client_gone"


class Action(StrEnum):
    """What to do with the client's request after an attempt."""

    DELIVER = "deliver"
    REFRESH = "refresh"
    """Renew the account's token once, then try the same account again; a second time means another account."""
    RETRY_OTHER = "retry_other"
    RETRY_SAME = "retry_same"
    """Wait for a moment, then try the same account again; when the moment is too long, another one."""
    ASK_ANOTHER = "ask_another"
    """Ask one other account: if it says the same, that is what the client gets."""
    RESEND = "resend"
    """Send it once more to the same account, at once."""
    UNSEAL = "unseal"
    """Leave out what the account cannot read, then try it once more."""


class Blame(StrEnum):
    """Whose trouble a failure is."""

    NOBODY = "nobody"
    REQUEST = "request"
    ACCOUNT = "account"
    UPSTREAM = "upstream"
    """Several accounts at once: then it is not theirs, and asking more of them helps nobody."""


class Rest(StrEnum):
    """How an account rests. A hard rest excludes it; a soft one only puts it behind the others."""

    NONE = "none"
    SOFT = "soft"
    HARD = "hard"


class Rule(NamedTuple):
    """What follows from a kind. `seconds` is the rest when upstream names no time of its own."""

    action: Action
    blame: Blame
    rest: Rest = Rest.NONE
    seconds: float = 0.0
    standing: Standing | None = None
    private: bool = False
    """The refusal is about an account's credentials. The client must not see it: it would take it for its own login's
    and spend its own refresh token on it."""

    @property
    def bars(self) -> bool:
        """Whether the account is out of service now, until a time or until somebody helps."""
        return self.rest is Rest.HARD or self.standing is not None


WORD: Final = re.compile(r"[a-z][a-z0-9_.]{0,59}")
"""What an error code looks like. Nothing else is repeated in logs and history: it could be a token."""

_OTHER: Final = Action.RETRY_OTHER
_DELIVER: Final = Action.DELIVER
_HIS: Final = Blame.ACCOUNT
_THEIRS: Final = Blame.UPSTREAM

RULES: Final[Mapping[Kind, Rule]] = {
    Kind.OK: Rule(_DELIVER, Blame.NOBODY),
    Kind.UPGRADED: Rule(_DELIVER, Blame.NOBODY),
    Kind.USAGE_LIMIT: Rule(_OTHER, _HIS, Rest.HARD, 900),
    Kind.NO_CREDIT: Rule(_OTHER, _HIS, Rest.HARD, 3600),
    Kind.BURST_LIMIT: Rule(Action.RETRY_SAME, _HIS, Rest.SOFT, 10),
    Kind.OVERLOADED: Rule(_OTHER, _THEIRS, Rest.SOFT, 15),
    Kind.SERVER_ERROR: Rule(_OTHER, _THEIRS, Rest.SOFT, 10),
    Kind.HEAD_TIMEOUT: Rule(_OTHER, Blame.NOBODY),  # slow is not dead
    Kind.CONNECT_FAILED: Rule(_OTHER, _THEIRS, Rest.SOFT, 10),
    Kind.PROXY_FAILED: Rule(_DELIVER, Blame.NOBODY),
    Kind.NO_DESCRIPTORS: Rule(_DELIVER, Blame.NOBODY),
    Kind.RESET: Rule(_OTHER, _THEIRS, Rest.SOFT, 10),
    Kind.STALLED: Rule(_OTHER, _THEIRS, Rest.SOFT, 30),
    Kind.TRUNCATED: Rule(_OTHER, _THEIRS, Rest.SOFT, 10),
    Kind.FAILED_IN_STREAM: Rule(_OTHER, _THEIRS, Rest.SOFT, 10),
    Kind.FAILED_AFTER_OUTPUT: Rule(_OTHER, _THEIRS, Rest.SOFT, 10),
    Kind.TOKEN_EXPIRED: Rule(Action.REFRESH, _HIS, Rest.SOFT, 60, private=True),
    Kind.TOKEN_INVALIDATED: Rule(_OTHER, _HIS, standing=Standing.NEEDS_LOGIN, private=True),
    Kind.REFRESH_FAILED: Rule(_OTHER, _HIS, Rest.SOFT, 30, private=True),
    Kind.DEACTIVATED: Rule(_OTHER, _HIS, standing=Standing.DEACTIVATED, private=True),
    Kind.CHALLENGE: Rule(Action.ASK_ANOTHER, Blame.NOBODY),
    Kind.FORBIDDEN: Rule(Action.ASK_ANOTHER, Blame.NOBODY),
    Kind.UNEXPLAINED: Rule(Action.ASK_ANOTHER, Blame.NOBODY),
    Kind.REFUSED_ALONE: Rule(_OTHER, _HIS, Rest.SOFT, 60),
    Kind.PAYMENT_REQUIRED: Rule(_OTHER, _HIS, Rest.SOFT, 60),
    Kind.NO_ANSWER: Rule(_OTHER, _THEIRS, Rest.SOFT, 10),
    Kind.STALE: Rule(Action.RESEND, Blame.NOBODY),
    Kind.SOCKET_CLOSED: Rule(_OTHER, _THEIRS, Rest.SOFT, 10),
    Kind.TOO_LARGE: Rule(_DELIVER, Blame.NOBODY),
    Kind.UNSUPPORTED_MODEL: Rule(_OTHER, _HIS),
    Kind.INVALID_SEALED: Rule(Action.UNSEAL, Blame.NOBODY),
    Kind.UNKNOWN_RESPONSE: Rule(_DELIVER, Blame.REQUEST),
    Kind.UPGRADE_REFUSED: Rule(_DELIVER, Blame.NOBODY),
    Kind.REQUEST_FAULT: Rule(_DELIVER, Blame.REQUEST),
    Kind.CLIENT_GONE: Rule(_DELIVER, Blame.NOBODY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What upstream said: a refusing HTTP answer, or a failure event inside a stream or socket.

    `status` is the HTTP status, or the one an in-band error names (0: none). `headers` have lower-case names. `error`
    is the JSON object that describes the failure, empty when the body was not one.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    error: JsonObject = field(default_factory=dict)

    def words(self) -> frozenset[str]:
        """The error's `type` and `code`: upstream uses either for the same thing. Anything but a plain word is none."""
        return frozenset(filter(None, map(_plain_word, (self.error.get("type"), self.error.get("code")))))

    def message(self) -> str:
        text = self.error.get("message")
        return text if isinstance(text, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an attempt came to. `until` is upstream's own time for trying again (seconds since the epoch)."""

    kind: Kind
    until: float | None = None
    plan: str = ""
    detail: str = ""

    @property
    def rule(self) -> Rule:
        return RULES[self.kind]


class Sign(NamedTuple):
    """A row of SIGNS: every condition that is given must hold."""

    kind: Kind
    words: frozenset[str] = frozenset()
    statuses: frozenset[int] = frozenset()
    header: str = ""
    content_type: str = ""
    text: re.Pattern[str] | None = None
    coded: bool | None = None
    """Whether the error has to have, or must not have, a code that says more than that something is wrong."""
    like: re.Pattern[str] | None = None
    """What one of its words has to look like."""
    param: re.Pattern[str] | None = None
    """What has to be the name of the field that the error is about."""

    def seen_in(self, reply: Reply) -> bool:
        return (
            (not self.statuses or reply.status in self.statuses)
            and (not self.words or not self.words.isdisjoint(reply.words()))
            and (not self.header or self.header in reply.headers)
            and (not self.content_type or self.content_type in reply.headers.get("content-type", "").lower())
            and (self.text is None or self.text.search(reply.message()) is not None)
            and (self.coded is None or self.coded == bool(reply.words() - _SAYS_LITTLE))
            and (self.like is None or any(map(self.like.fullmatch, reply.words())))
            and (self.param is None or self.param.fullmatch(str(reply.error.get("param") or "")) is not None)
        )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SAYS_LITTLE: Final = _words(
    "invalid_request_error error bad_request bad_request_error invalid_request not_found not_found_error api_error "
    "client_error"
)
"""These say no more than a status does."""


_401: Final = frozenset({401})
_402: Final = frozenset({402})
_403: Final = frozenset({403})
_400: Final = frozenset({400, 422})
_0_400: Final = frozenset({0, 400, 422})
_ABOUT_THE_REQUEST: Final = frozenset({0, *range(400, 500)}) - {429}
_NO: Final = (
    r"(?:(?:not|no longer)(?: \w+)? (?:supported|available|found|exist|enabled|allowed|included|accessible)"
    r"|(?:isn.t|doesn.t) (?:supported|available|exist|enabled|allowed|included)"
    r"|unavailable|unsupported|unknown|deprecated|retired|restricted)"
)
_MODEL: Final = re.compile(
    rf"\bmodel\b.{{0,120}}\b{_NO}\b|\b(?:unknown|unsupported|invalid|no such) model\b"
    r"|\b(?:no|not have) access to (?:\w+ ){0,3}model\b|\bmodel\b.{0,120}\brequires? an? "
    r"|not supported when using Codex",
    re.IGNORECASE | re.DOTALL,
)
"""Upstream has no code for this on some routes; only then is it told by its sentence."""
_MODEL_WORD: Final = re.compile(
    r"(?:[a-z]+_)?model_(?:is_|access_)?(?:not_\w+|no_\w+|un(?:available|supported|known|authorized)|invalid|denied|disabled"
    r"|forbidden|restricted|deprecated|retired|missing|requires_\w+|does_not_exist)(?:_(?:for|in|on)_\w+)?"
    r"|(?:invalid|unknown|unsupported|unavailable|disabled|restricted|deprecated|no_such|no_access_to)_model"
    r"(?:_(?:name|id|error|for_\w+))?|no_model_access"
)
"""A code that says that a model is not to be had."""
_ACCOUNT_WORD: Final = re.compile(
    r"\w*(?:account|workspace|organi[sz]ation|team|plan|subscription|billing|quota|credit|tier|region|country|user"
    r"|permission|access|forbidden|entitle|eligib|payment|auth|credential|session|login|suspend|banned)\w*"
    r"|token_(?:revoked|invalid\w*)|(?:invalid|revoked)_\w*token"
)
"""A code that may be about who asks."""
_FIELD: Final = re.compile(r".+", re.DOTALL)

SIGNS: Final[tuple[Sign, ...]] = (
    Sign(kind=Kind.USAGE_LIMIT, words=_words("usage_limit_reached usage_limit_exceeded")),
    Sign(
        kind=Kind.NO_CREDIT,
        words=_words(
            "insufficient_quota credit_balance_exhausted usage_not_included billing_hard_limit_reached "
            "organization_spend_limit_reached project_spend_limit_reached quota_exceeded insufficient_credits "
            "billing_not_active"
        ),
    ),
    Sign(
        kind=Kind.BURST_LIMIT,
        words=_words(
            "rate_limit_exceeded rate_limit_error rate_limit_reached rate_limited slow_down too_many_requests "
            "too_many_concurrent_requests concurrency_limit_exceeded"
        ),
    ),
    Sign(
        kind=Kind.OVERLOADED,
        words=_words(
            "server_is_overloaded overloaded_error engine_overloaded overloaded server_overloaded model_overloaded "
            "model_at_capacity service_unavailable service_unavailable_error temporarily_unavailable"
        ),
    ),
    Sign(kind=Kind.DEACTIVATED, words=_words("deactivated_workspace workspace_deactivated account_deactivated")),
    Sign(kind=Kind.TOKEN_INVALIDATED, words=_words("token_invalidated token_revoked"), statuses=_401 | {0}),
    Sign(kind=Kind.TOKEN_EXPIRED, statuses=_401),
    Sign(
        kind=Kind.TOKEN_EXPIRED,
        words=_words("token_expired access_token_expired expired_token invalid_token invalid_access_token"),
        statuses=frozenset({0, 400, 403}),
    ),
    Sign(kind=Kind.INVALID_SEALED, words=_words("invalid_encrypted_content")),
    Sign(kind=Kind.UNKNOWN_RESPONSE, words=_words("previous_response_not_found")),
    Sign(
        kind=Kind.UNSUPPORTED_MODEL,
        words=_words(
            "model_not_supported unsupported_model model_not_found model_not_available account_model_unsupported "
            "model_not_allowed"
        ),
    ),
    Sign(
        kind=Kind.REQUEST_FAULT,
        words=_words(
            "context_length_exceeded invalid_prompt cyber_policy bio_policy flex_unavailable "
            "websocket_connection_limit_reached"
        ),
    ),
    Sign(kind=Kind.UNSUPPORTED_MODEL, statuses=_ABOUT_THE_REQUEST, like=_MODEL_WORD),
    Sign(kind=Kind.UNSUPPORTED_MODEL, statuses=_0_400 | {404}, param=re.compile("model")),
    Sign(kind=Kind.UNSUPPORTED_MODEL, statuses=_ABOUT_THE_REQUEST, text=_MODEL, coded=False),
    Sign(kind=Kind.UNEXPLAINED, statuses=_0_400, like=_ACCOUNT_WORD),
    Sign(kind=Kind.REQUEST_FAULT, words=_words("invalid_request_error"), statuses=_0_400, param=_FIELD),
    Sign(kind=Kind.REQUEST_FAULT, words=_words("invalid_request_error"), statuses=_0_400, coded=True),
    Sign(kind=Kind.UNEXPLAINED, words=_words("invalid_request_error"), statuses=frozenset({0})),
    Sign(kind=Kind.PAYMENT_REQUIRED, statuses=_402),
    Sign(kind=Kind.CHALLENGE, statuses=_403, header="cf-mitigated"),
    Sign(kind=Kind.CHALLENGE, statuses=_403, content_type="text/html"),
    Sign(kind=Kind.FORBIDDEN, statuses=_403),
    Sign(kind=Kind.UPGRADE_REFUSED, statuses=frozenset({426})),
    Sign(kind=Kind.BURST_LIMIT, statuses=frozenset({429})),
    Sign(kind=Kind.OVERLOADED, statuses=frozenset({503, 529})),
    Sign(kind=Kind.SERVER_ERROR, statuses=frozenset(range(500, 1000))),
    Sign(kind=Kind.SERVER_ERROR, words=_words("server_error internal_server_error")),
    Sign(kind=Kind.REQUEST_FAULT, statuses=_400, coded=True),
    Sign(kind=Kind.UNEXPLAINED, statuses=frozenset(range(400, 500))),
    Sign(kind=Kind.FAILED_IN_STREAM, statuses=frozenset({0})),
)


def classify(reply: Reply, now: float) -> Outcome:
    """Name what a refusal means. Never raises, whatever the status, headers or body."""
    kind = next((sign.kind for sign in SIGNS if sign.seen_in(reply)), Kind.OK)
    until = reset_time(reply.error, reply.headers, now) if RULES[kind].rest is not Rest.NONE else None
    plan = reply.error.get("plan_type")
    words = " ".join(sorted(reply.words()))
    return Outcome(
        kind=kind,
        until=until,
        plan=plan if isinstance(plan, str) else "",
        detail=f"{reply.status} {words}".strip() if reply.status else words,
    )


def classify_failure(reply: Reply, now: float, *, after_output: bool = False) -> Outcome:
    """The same for an event that says that something failed, whatever status it names."""
    outcome = classify(reply, now)
    kind = Kind.FAILED_IN_STREAM if outcome.kind is Kind.OK else outcome.kind
    return replace(outcome, kind=Kind.FAILED_AFTER_OUTPUT if after_output and kind is Kind.FAILED_IN_STREAM else kind)


@functools.cache
def _known() -> frozenset[str]:
    return _SAYS_LITTLE.union(*(sign.words for sign in SIGNS))


_LOUD: Final = re.compile(r"[A-Z][A-Z0-9_]{0,59}")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BREAK: Final = re.compile(r"[\s-]+")


def _plain_word(said: object) -> str:
    """A code as this table writes it: known ones whatever their letters, others only if they can be no token; "" for
    all else."""
    if not isinstance(said, str) or len(said) > _LONGEST_WORD:
        return ""
    text = said.strip()
    if WORD.fullmatch(text):
        return text
    plain = _BREAK.sub("_", _HUMP.sub("_", text)).lower()
    return plain if plain in _known() else text.lower() if _LOUD.fullmatch(text) else ""


_LONGEST_WORD: Final = 80


def error_of(payload: object) -> JsonObject:
    """The object that describes a failure, wherever a reply or an event keeps it. What has a known code goes before all
    else."""
    return described(payload, tells)


def tells(error: JsonObject) -> bool:
    """Whether an object has a code that is known to mean something."""
    return not (Reply(status=0, error=error).words() & _known()) <= _SAYS_LITTLE
