"""What a secret looks like: one table for all who show or save text. Flows, logs, content views and reports choose
classes of its rows; none has patterns of its own. How they are looked for is in `masking`. Pure.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAIL: Final = b"[e-mail]"
TOKEN: Final = b"[token]"
SECRET: Final = b"[secret]"
ACCOUNT: Final = b"[account id]"
MARKS: Final = (MAIL, TOKEN, SECRET, ACCOUNT)
"""What stands in a secret's place, but for sealed contents, of which more is told."""

# --- classes of rows, and who takes which ----------------------------------------------------------------------------


class SecretClass(StrEnum):
    """What a row is about; the value says it in words."""

    MAIL = "e-mail addresses"
    ACCOUNT = "ids of accounts and users"
    TOKEN = "tokens and keys, known by their looks"  # noqa: S105 - a name, not a password
    NAMED = "values that stand behind the name of a secret, and users and passwords in addresses"
    SEALED = "reasoning that only its account's servers can read"
    SUSPECTED = "what may well be no secret"


IN_FLOWS: Final = frozenset({SecretClass.MAIL, SecretClass.ACCOUNT, SecretClass.TOKEN, SecretClass.NAMED})
"""Sealed contents stay: they are the conversation, and whose they are is seen by them."""
IN_LOGS: Final = IN_FLOWS | {SecretClass.SEALED}
IN_VIEWS: Final = frozenset({SecretClass.TOKEN, SecretClass.NAMED, SecretClass.SEALED})
"""A view shows what its flow holds: whoever has redaction off wants to read the conversation, not its credentials."""
IN_REPORTS: Final = frozenset(SecretClass)
NEVER_IN_REPORTS: Final = frozenset({SecretClass.MAIL, SecretClass.TOKEN})
"""What is looked for once more before a report is written."""

# --- names of secrets ------------------------------------------------------------------------------------------------

REQUEST_HEADERS: Final = frozenset(
    {
        b"authorization",
        b"proxy-authorization",
        b"cookie",
        b"x-api-key",
        b"x-openai-agent-assertion",
        b"chatgpt-account-id",
        b"openai-organization",
    }
)
"""Header fields, in lower case, of which nothing is shown."""
RESPONSE_HEADERS: Final = frozenset({b"set-cookie"})

_FIELD: Final = re.compile(
    r"(?:proxy-?)?authorization|(?:set-?)?cookies?|x-api-key|x-openai-agent-assertion"
    r"|(?:openai_?)?api_?key|(?:access|refresh|id|session|bearer|auth)[_-]?token|token|password|secret|client_secret",
    re.IGNORECASE,
)
_TELLING: Final = re.compile(r"passw|secret|token|key|auth|cred|cookie|bearer", re.IGNORECASE)


def is_secret_field(name: str) -> bool:
    """Whether a field of this name, in JSON, holds nothing but a secret."""
    return _FIELD.fullmatch(name) is not None


def may_hold_secret(name: str) -> bool:
    """The same of a setting or a variable, where more is suspected than is so."""
    return _TELLING.search(name) is not None


# --- what a value has to be ------------------------------------------------------------------------------------------

_IDENTIFIER: Final = re.compile(rb"[A-Za-z]{1,24}(?:[._]{1,2}[A-Za-z]{1,24}){1,12}")
_WORDS: Final = re.compile(rb"[a-z]{2,5}(?:[-_.][a-z]{1,11}){1,12}[-_.]?")
_TYPE: Final = re.compile(rb"(?:str|string|bytes|none|null|true|false|undefined|required|optional)\b", re.IGNORECASE)
_PAIR: Final = re.compile(rb"[\w!#$%&*+.^|~-]{1,80}=")
_OPAQUE: Final = re.compile(rb"(?=[^0-9]*[0-9])[\w.~+/=%-]{4,}")


def _always(_: bytes) -> bool:
    return True


def _looks_random(value: bytes) -> bool:
    """Neither a number, which counts tokens, nor a word of a programme, which names one."""
    if any(48 <= each < 58 for each in value):
        return not value.isdigit()
    return len(value) >= 24 and not _IDENTIFIER.fullmatch(value)


def _is_no_number(value: bytes) -> bool:
    return not value.isdigit()


def _is_no_name(value: bytes) -> bool:
    """Not some words with a sign between them, as names of packages and functions are."""
    return not _WORDS.fullmatch(value)


def _is_key(value: bytes) -> bool:
    return len(value) >= 15 or _is_no_name(value)


def _is_mixed(value: bytes) -> bool:
    return any(48 <= each < 58 for each in value) or not (value[5:].islower() or value[5:].isupper())


def _is_no_type(value: bytes) -> bool:
    return not _TYPE.match(value)


def _is_cookie(value: bytes) -> bool:
    return _PAIR.match(value) is not None or _OPAQUE.fullmatch(value) is not None


def _is_basic(value: bytes) -> bool:
    """A user and a password in base64, or what may be one."""
    if _looks_random(value):
        return True
    try:
        plain = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in plain and plain.isascii()


def _is_no_variable(value: bytes) -> bool:
    return not value.startswith(b"$")


def _is_unsealed(value: bytes) -> bool:
    return bool(value) and not value.startswith(b"sealed")


# --- what stands in its place ----------------------------------------------------------------------------------------


def seal(blob: str, owner: str) -> str:
    """What may be said of a sealed content: whose it is if that is known, its size, and a mark to find it again by."""
    digest = hashlib.sha256(blob.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"sealed{f' by {owner}' if owner else ''}, {len(blob):,} characters, mark {digest}"


def _sealed(value: bytes) -> bytes:
    return seal(value.decode("utf-8", "replace"), "").encode()


# --- the table -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPattern:
    """One row. `word`, in lower case, has to be there; what is before it has to match `before`, and from it on
    `after`. A row without a word is looked for everywhere. What is masked is the match's group 1 if it has one, else
    all of both; what else has matched is no other row's secret by itself.
    """

    name: str
    kind: SecretClass
    word: bytes
    after: re.Pattern[bytes]
    shown: bytes | Callable[[bytes], bytes]
    before: re.Pattern[bytes] | None = None
    wanted: Callable[[bytes], bool] = _always


_BOUNDARY: Final = re.compile(rb"(?:\A|[^\w-])\Z")
_LOCAL_PART: Final = re.compile(rb"[\w.+'%\x80-\xff-]{1,64}\Z")
_DOMAIN: Final = rb"[\w\x80-\xff-]{1,63}(?:\.[\w\x80-\xff-]{1,63}){0,8}\.[A-Za-z\x80-\xff][\w\x80-\xff-]{0,62}"
_QUOTE: Final = rb"""(?:\\{0,3}["'])?"""
_IS: Final = rb"\s{0,4}+[:=]\s{0,4}+"
_VALUE: Final = rb"""[^\s"'\\,;&<>(){}\[\]]{4,}+"""
_USER_INFO: Final = rb"""[^/\s"'\\<>{}`\[\]]{1,400}"""


def _named(name: str, word: bytes, rest: bytes, wanted: Callable[[bytes], bool], kind: SecretClass) -> SecretPattern:
    """`name=value` and `"name": "value"`, also with its quotes escaped, and whatever else the name ends in."""
    pattern = word + rest + rb"[\w-]{0,40}+" + _QUOTE + _IS + _QUOTE + b"(" + _VALUE + b")(?![(])"
    shown = ACCOUNT if kind == SecretClass.ACCOUNT else SECRET
    return SecretPattern(
        name=name, kind=kind, word=word, after=re.compile(pattern, re.IGNORECASE), shown=shown, wanted=wanted
    )


def _scheme(word: bytes, wanted: Callable[[bytes], bool]) -> SecretPattern:
    pattern = re.compile(word + rb"(?:\s|%20|\+){1,4}([\w.~+/=-]{6,})", re.IGNORECASE)
    name = f"{word.decode()} value"
    return SecretPattern(name=name, kind=SecretClass.TOKEN, word=word, after=pattern, shown=TOKEN, wanted=wanted)


def _beginning(name: str, word: bytes, rest: bytes, wanted: Callable[[bytes], bool] = _always) -> SecretPattern:
    """A token that begins with `word`, where no other word ends in that."""
    pattern = re.compile(b"(" + re.escape(word) + rest + b")")
    return SecretPattern(
        name=name,
        kind=SecretClass.TOKEN,
        word=word,
        before=_BOUNDARY,
        after=pattern,
        shown=TOKEN,
        wanted=wanted,
    )


def _row(
    name: str, kind: SecretClass, word: bytes, after: bytes, shown: bytes | Callable[[bytes], bytes]
) -> SecretPattern:
    return SecretPattern(
        name=name, kind=kind, word=word, after=re.compile(after, re.IGNORECASE | re.DOTALL), shown=shown
    )


RULES: Final = (
    SecretPattern(
        name="e-mail address",
        kind=SecretClass.MAIL,
        word=b"@",
        before=_LOCAL_PART,
        after=re.compile(b"@" + _DOMAIN),
        shown=MAIL,
    ),
    SecretPattern(
        name="e-mail address, percent-encoded",
        kind=SecretClass.MAIL,
        word=b"%40",
        before=_LOCAL_PART,
        after=re.compile(b"%40" + _DOMAIN),
        shown=MAIL,
    ),
    SecretPattern(
        name="JWT, or what a cut has left of one",
        kind=SecretClass.TOKEN,
        word=b"eyj",
        after=re.compile(rb"eyJ[\w-]{8,}(?:\.[\w-]*){0,4}"),
        shown=TOKEN,
    ),
    _beginning("API key", b"sk-", rb"[\w-]{8,}", _is_key),
    _beginning("session key", b"sess-", rb"[\w-]{12,}"),
    _beginning("refresh token", b"rt_", rb"[\w.-]{12,}"),
    _beginning("refresh token with dots", b"rt.", rb"[\w.-]{12,}", _is_no_name),
    _scheme(b"bearer", _looks_random),
    _scheme(b"basic", _is_basic),
    SecretPattern(
        name="user id",
        kind=SecretClass.ACCOUNT,
        word=b"user",
        before=_BOUNDARY,
        after=re.compile(rb"(user-[A-Za-z0-9]{16,})"),
        shown=ACCOUNT,
        wanted=_is_mixed,
    ),
    SecretPattern(
        name="cookies",
        kind=SecretClass.NAMED,
        word=b"cookie",
        after=re.compile(rb"cookie" + _QUOTE + _IS + _QUOTE + rb"""([^\s"'\\\[][^\r\n"'\\]{2,})""", re.IGNORECASE),
        shown=SECRET,
        wanted=_is_cookie,
    ),
    SecretPattern(
        name="value of another scheme of authorization",
        kind=SecretClass.NAMED,
        word=b"authorization",
        after=re.compile(
            rb"authorization" + _QUOTE + _IS + _QUOTE + rb"[\w-]{1,40}[ \t]{1,4}([\w.~+/=-]{6,})", re.IGNORECASE
        ),
        shown=SECRET,
        wanted=_looks_random,
    ),
    _named("authorization", b"authorization", b"", _looks_random, SecretClass.NAMED),
    _named("named token", b"token", b"", _looks_random, SecretClass.NAMED),
    _named("named secret", b"secret", b"", _looks_random, SecretClass.NAMED),
    _named("named API key", b"api", b"[_-]?key", _looks_random, SecretClass.NAMED),
    _named("password", b"passw", b"", _is_no_type, SecretClass.NAMED),
    _named("account id", b"account", b"[_-]?id", _looks_random, SecretClass.ACCOUNT),
    _named("named user id", b"user", b"[_-]?id", _looks_random, SecretClass.ACCOUNT),
    _named("organization id", b"organization_id", b"", _looks_random, SecretClass.ACCOUNT),
    SecretPattern(
        name="user and password of an address",
        kind=SecretClass.NAMED,
        word=b"://",
        after=re.compile(b"://(" + _USER_INFO + rb")@(?:[\w.-]{0,255})"),
        shown=SECRET,
        wanted=_is_no_variable,
    ),
    _row(
        "user and password of an address, percent-encoded",
        SecretClass.NAMED,
        b"%3a%2f%2f",
        rb"""%3a%2f%2f((?:(?!%40|%2f)[^/\s@"'\\<>{}`\[\]&]){1,400}+)(?:@|%40)[\w.-]{0,255}""",
        SECRET,
    ),
    SecretPattern(
        name="sealed content by its name",
        kind=SecretClass.SEALED,
        word=b"encrypted_content",
        after=re.compile(rb'encrypted_content"\s{0,4}:\s{0,4}"((?:[^"\\]++|\\.)*+)', re.DOTALL | re.IGNORECASE),
        shown=_sealed,
        wanted=_is_unsealed,
    ),
    SecretPattern(
        name="sealed content",
        kind=SecretClass.SEALED,
        word=b"gaaaa",
        before=re.compile(rb"(?:\A|[^\w])\Z"),
        after=re.compile(rb"(gAAAA[\w-]{30,}={0,2})"),
        shown=_sealed,
    ),
    _row(
        "header of authorization",
        SecretClass.SUSPECTED,
        b"authorization",
        rb"authorization\W{1,4}(?<!\[)([^\r\n\[]{3,})",
        SECRET,
    ),
    _named("any token", b"token", b"", _is_no_number, SecretClass.SUSPECTED),
    _named("any secret", b"secret", b"", _is_no_number, SecretClass.SUSPECTED),
    _named("any API key", b"api", b"[_-]?key", _is_no_number, SecretClass.SUSPECTED),
    _named("any password", b"passw", b"", _always, SecretClass.SUSPECTED),
    *(
        SecretPattern(
            name=f"any {word.decode()} value",
            kind=SecretClass.SUSPECTED,
            word=word,
            before=_BOUNDARY,
            after=re.compile(word + rb"\s{1,4}([\w.~+/=-]{6,})", re.IGNORECASE),
            shown=TOKEN,
        )
        for word in (b"bearer", b"basic")
    ),
    SecretPattern(
        name="long and random",
        kind=SecretClass.SUSPECTED,
        word=b"",
        after=re.compile(
            rb"(?<![\w-])(?=[0-9A-Z_-]*[a-z])(?=[0-9a-z_-]*[A-Z])(?=[A-Za-z_-]*[0-9])([\w-]{40,})", re.ASCII
        ),
        shown=SECRET,
    ),
)
