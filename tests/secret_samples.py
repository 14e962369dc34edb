"""Made-up secrets, one of each kind and in each place where one is met, and what is none. They are made when the tests
run: nothing that looks like a token is in the repository."""

import base64
import random
import string
from dataclasses import dataclass, field
from typing import Final

from addons.redaction.patterns import SecretClass
from tests.builders import token

_MADE: Final = random.Random(20260101)


def opaque(length: int = 40) -> str:
    """Letters and digits, at least one of each."""
    return "aZ7" + "".join(_MADE.choices(string.ascii_letters + string.digits, k=length - 3))


def uuid() -> str:
    return f"{_MADE.getrandbits(32):08x}-7a1{_MADE.getrandbits(4):x}-4000-8000-{_MADE.getrandbits(48):012x}"


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, the secret in it, and what kind of secret that is."""

    name: str
    kind: SecretClass
    text: str
    secret: str = field(repr=False)


def _sample(name: str, kind: SecretClass, secret: str, text: str = "{}", seen: str = "") -> Sample:
    """`text` with the secret in the place of {}; `seen`: what of it must not be left."""
    return Sample(name, kind, text.replace("{}", secret), seen or secret)


JWT: Final = token({"chatgpt_account_id": "acct-of-a-sample"})
_USER_ID: Final = f"user-{opaque(24)}"
_SEALED: Final = f"gAAAA{opaque(120)}-_=="
_BASIC: Final = base64.b64encode(b"joe:pw").decode()

SAMPLES: Final = (
    _sample("refresh token", SecretClass.TOKEN, f"rt_{opaque()}", "sent {} upstream"),
    _sample("refresh token with a dot", SecretClass.TOKEN, f"rt.{opaque()}", "sent {}, then"),
    _sample("refresh token with dots", SecretClass.TOKEN, f"rt.1.{opaque()}.{opaque(8)}", '"{}"'),
    _sample("API key", SecretClass.TOKEN, f"sk-{opaque(20)}", "the key is {}."),
    _sample("project key", SecretClass.TOKEN, f"sk-proj-{opaque(20)}", "export OPENAI_API_KEY={}"),
    _sample("key in words", SecretClass.TOKEN, "sk-this-is-one-of-words", "key: {}"),
    _sample("session key", SecretClass.TOKEN, f"sess-{opaque(24)}", "({})"),
    _sample("JWT", SecretClass.TOKEN, JWT, "got {} back"),
    _sample("JWT in JSON in JSON", SecretClass.TOKEN, JWT, '{"a": "{\\"b\\": \\"{}\\"}"}'),
    _sample("JWT that is cut off", SecretClass.TOKEN, JWT[:50], "got {}"),
    _sample("JWT of which a part is left", SecretClass.TOKEN, JWT[:20], "got {}… (900 characters)"),
    _sample("bearer", SecretClass.TOKEN, opaque(12), "Bearer {}"),
    _sample("bearer of a header", SecretClass.TOKEN, opaque(12), "authorization: bearer {}\r\nhost: x"),
    _sample("bearer in an address", SecretClass.TOKEN, opaque(12), "?auth=Bearer%20{}&x=1"),
    _sample("basic", SecretClass.TOKEN, _BASIC, "Proxy-Authorization: Basic {}"),
    _sample("another scheme", SecretClass.NAMED, opaque(30), "Authorization: AgentAssertion {}"),
    _sample("password", SecretClass.NAMED, "hunter2", "password={}"),
    _sample("password in words", SecretClass.NAMED, "correct-horse", '"password": "{}"'),
    _sample("password in JSON in JSON", SecretClass.NAMED, "correct-horse", '{\\"db_password\\": \\"{}\\"}'),
    _sample("named token", SecretClass.NAMED, opaque(12), '{"access_token":"{}"}'),
    _sample("named key", SecretClass.NAMED, opaque(12), "?api-key={}&b=2"),
    _sample("named secret", SecretClass.NAMED, opaque(12), "CLIENT_SECRET='{}'"),
    _sample("cookie", SecretClass.NAMED, f"a=b; sid={opaque(12)}", "Cookie: {}\r\nx: y"),
    _sample("cookie that is set", SecretClass.NAMED, opaque(12), "Set-Cookie: sid={}; path=/"),
    _sample("cookie in JSON", SecretClass.NAMED, f"sid={opaque(12)}", '{"cookie": "{}"}'),
    _sample("user and password", SecretClass.NAMED, "joe:hunter2", "via http://{}@proxy.test:3128/"),
    _sample("password with an @", SecretClass.NAMED, "joe:hun@ter2", "via http://{}@proxy:3128/"),
    _sample("password of a number", SecretClass.NAMED, "joe:hunter2", "via http://{}@127.0.0.1:1"),
    _sample("password of a user alone", SecretClass.NAMED, "only-user", "via socks5://{}@proxy"),
    _sample("password, percent-encoded", SecretClass.NAMED, "j%40e:p%2Fw%3A", "via https://{}@proxy.test"),
    _sample("address, percent-encoded", SecretClass.NAMED, "joe%3Ahunter2", "?via=http%3A%2F%2F{}%40proxy%3A1"),
    _sample("e-mail", SecretClass.MAIL, "joe.doe+x@sub.example.co.uk", "mail {}."),
    _sample("e-mail in capitals", SecretClass.MAIL, "JOE@EXAMPLE.COM", "MAIL {}"),
    _sample("e-mail, percent-encoded", SecretClass.MAIL, "joe%40example.com", "?email={}&x=1"),
    _sample("e-mail in Unicode", SecretClass.MAIL, "jürgen@bücher.example", "<{}>"),
    _sample("account id", SecretClass.ACCOUNT, uuid(), "chatgpt-account-id: {}"),
    _sample("account id in JSON", SecretClass.ACCOUNT, uuid(), '{"chatgpt_account_id": "{}"}'),
    _sample("user id", SecretClass.ACCOUNT, _USER_ID, "of {}, who"),
    _sample("sealed content", SecretClass.SEALED, _SEALED, "see {} there"),
    _sample("sealed content by its name", SecretClass.SEALED, opaque(90), '{"encrypted_content": "{}"}'),
    _sample("sealed content that is cut off", SecretClass.SEALED, opaque(90), '{"encrypted_content":"{}'),
    _sample("unknown scheme's word", SecretClass.SUSPECTED, "hunterhunter", "sent bearer {} upstream"),
    _sample("word that is a token", SecretClass.SUSPECTED, "hunters", "token: {}"),
    _sample("long and random", SecretClass.SUSPECTED, "aB3_" * 12, "random {}"),
)

HARMLESS: Final = (
    '{"input_tokens": 12345, "output_tokens_details": {"reasoning_tokens": 1000}}',
    "429 usage_limit_reached after 0.3 s, the account rests until 14:05",
    "0199c0de-7a11-7000-8000-0000000000aa",
    "codex@0.169.0 on Python 3.13.0, react@18.2.0",
    "the bearer of this letter has a basic idea of cookies and passwords",
    "Every login can be renewed, and no access token has expired.",
    "mask-abcdefghijklmnopqr, disk-usage, task-something-long, sk-1, eyJ",
    "support.google_some_module and start.something_else, rt_mutex_lock",
    "@app.route('/users/<user>')\ndef show(user): ...",
    "https://example.com/a?b=c#d and ssh://host:22/x, https://host/@scope/package",
    "Install it with `npm install -g @openai/codex`.",
    "CA 849f9e63f3250c7e849f9e63f3250c7e849f9e63f3250c7e849f9e63f3250c7e",
    "user-friendly-interfaces for user-administration",
    "",
)
"""What no reader changes."""

CODE: Final = (
    "token = next(tokens)",
    "access_token: string",
    "password = getpass.getpass()",
    "def authorization(self) -> str:",
    "headers = {'authorization': f'Bearer {token}'}",
    "cookie = parse(header)",
    "cookies: dict[str, str] = {}",
    "user_id: UUID",
    "passwd -l",
    "a basic understanding of it",
    "secret = settings.client_secret",
    'url = f"postgres://{user}:{password}@{host}/db"',
    "git clone https://$TOKEN@host/x",
)
"""What the readers of conversations do not change; a report suspects more."""
