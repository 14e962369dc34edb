"""What must not leave this machine in a report: looked for, replaced, and looked for once more.

Reports are put together without reading a secret. This is the second line: everything that is known to be secret, and
whatever looks like it, gets a placeholder, and what still holds one is not written at all.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus, unquote

from accounts.model import Account
from accounts.store.store import Store
from addons.redaction.masking import Span, found_in, replaced
from addons.redaction.patterns import IN_REPORTS, MAIL, MARKS, NEVER_IN_REPORTS, may_hold_secret
from config import paths
from config.errors import RotateError

SHORTEST: Final = 6
"""Characters. A shorter secret is half the dictionary; only where it is used as one is it told from a word."""
LONG: Final = 32
MOST_READ: Final = 16 * 1024 * 1024
END: Final = 16
"""Of a token as long as LONG, so many characters at either end give the rest away: logs cut what is too long."""

_RUN: Final = re.compile(r"[\w.~+/=%-]*")
_RUN_BACK: Final = re.compile(r"[\w.~+/=%-]")


class StillSecret(RotateError):
    """A report that holds a secret after all."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(
            f"{where} would still hold {what}, so nothing was written. That is a defect of codex-rotate: "
            "report it with this sentence alone."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A text that must not be shown, and what is shown in its place. `token`: a part of it gives it away as well;
    `name`: upper and lower case are the same."""

    text: str = field(repr=False)
    shown: str
    token: bool = False
    name: bool = False


class Sweep:
    """Replaces what is known to be secret and what looks like it. `labels` are names of accounts, which are replaced
    where they stand as words, and `folders` what may name their owner, with a name for each; both in free text only.

    All of it is looked for in the text as it was: what one of them replaces cannot hide another from being found.
    """

    def __init__(
        self,
        secrets: Iterable[Secret],
        labels: Mapping[str, str] | None = None,
        folders: Mapping[Path, str] | None = None,
    ) -> None:
        known = {each.text: each for each in reversed(list(secrets)) if len(each.text) >= SHORTEST}
        found = {needle: each for each in known.values() for needle in _spellings(each)}
        self._needles = sorted(found.items(), key=lambda pair: -len(pair[0]))
        names = [(label, shown) for label, shown in (labels or {}).items() if len(label) > 2]
        places = [(str(path), shown) for path, shown in (folders or {}).items() if len(path.parts) > 1]
        spelled = [(text, shown) for path, shown in places for text in _written(path)]
        self._names = [(_words([text]), shown) for text, shown in names + spelled]
        placeholders = {each.shown for each in known.values()} | {shown for _, shown in names + places}
        self._placeholders = _words([each for each in placeholders if len(each) > 1] + [m.decode() for m in MARKS])

    def text(self, text: str) -> str:
        """The same without secrets."""
        return replaced(text, self._secrets(text))

    def free(self, text: str) -> str:
        """The same for what was not put together here: names and home folders are taken out too."""
        spans = self._secrets(text)
        for name, shown in self._names:
            spans += (Span(*found.span(), shown, found.end()) for found in name.finditer(text))
        return replaced(text, spans)

    def value(self, value: object) -> object:
        """The same for everything that JSON can hold. Names of fields are ours and stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        return value

    def check(self, where: str, content: str) -> None:
        """Raises StillSecret for what may not be written."""
        content = self._placeholders.sub(" ", content)  # a password may be a word of them
        folded = content.lower()
        for needle, secret in self._needles:
            if needle in (folded if secret.name else content):
                raise StillSecret(where, f"what belongs to {secret.shown}" if secret.name else "a secret")
        if found_in(content, NEVER_IN_REPORTS):
            raise StillSecret(where, "an e-mail address or a token")

    def _secrets(self, text: str) -> list[Span[str]]:
        """What is known and what looks like a secret, and placeholders, which stay what they are."""
        folded = text.lower()
        spans: list[Span[str]] = []
        for needle, secret in self._needles:
            if needle in (folded if secret.name else text):
                spans += _of_known(text, needle, secret)
        spans += (Span(*found.span(), found[0], found.end()) for found in self._placeholders.finditer(text))
        return spans + found_in(text, IN_REPORTS)


def _words(texts: Iterable[str]) -> re.Pattern[str]:
    """Any of these, the longest first, with no letter or digit at either end that would make another word of it."""
    ordered = sorted(texts, key=lambda text: (-len(text), text))
    parts = [f"(?<!\\w){re.escape(text)}" if re.match(r"\w", text) else re.escape(text) for text in ordered]
    return re.compile(rf"(?:{'|'.join(parts)})(?!\w)" if parts else r"(?!)")


def _written(path: str) -> set[str]:
    """A folder as it is, in JSON and in an address."""
    return {path, json.dumps(path)[1:-1], json.dumps(path, ensure_ascii=False)[1:-1], quote(path), quote(path, safe="")}


def _of_known(text: str, needle: str, secret: Secret) -> Iterator[Span[str]]:
    """Of a token, whatever hangs together with the part that was found goes too."""
    if secret.name:
        for named in re.finditer(re.escape(needle), text, re.IGNORECASE):
            yield Span(*named.span(), secret.shown, named.end())
        return
    after = 0
    while (start := text.find(needle, after)) >= 0:
        end = start + len(needle)
        if secret.token:
            run = _RUN.match(text, end)
            end = run.end() if run else end
            while start > after and _RUN_BACK.match(text[start - 1]):
                start -= 1
        yield Span(start, end, secret.shown, end)
        after = end


def _spellings(secret: Secret) -> Iterator[str]:
    """Every way in which a secret may be written down."""
    text = secret.text
    if secret.name:
        yield text.lower()
        return
    forms = {text, quote(text, safe=""), quote(text), quote_plus(text), repr(text)[1:-1]}
    forms |= {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    if ":" in text:  # a user and a password, as a header has them
        forms.add(base64.b64encode(text.encode("utf-8", "surrogateescape")).decode())
    yield from forms
    if secret.token and len(text) >= LONG:
        yield from (text[:END], text[-END:])
        yield from (part for part in text.split(".") if len(part) >= END and not part.startswith("eyJ"))


# --- what is a secret in the files of others -------------------------------------------------------------------------

_STRING: Final = re.compile(r'"((?:[^"\\]|\\.){6,})"(?!\s*:)')
_WORD: Final = re.compile(r"[A-Za-z_]{1,14}|[\d.:TZ+-]{1,40}|https?://[\w./-]*", re.ASCII)
"""Values that are no secret: a mode, a date, an address."""
_ASSIGNED: Final = re.compile(r"([\w.-]+)[\"']?\s*[=:]\s*[\"']?([^\"'\r\n]{4,})")
_USER: Final = re.compile(r"://([^/\s@\"']+)@")


def in_json(text: str, shown: str) -> Iterator[Secret]:
    """Every text in a file of logins, whether or not the file is whole."""
    try:
        values = _texts(json.loads(text))
    except (ValueError, RecursionError):
        values = _quoted(text)
    for value in values:
        if not _WORD.fullmatch(value):
            yield Secret(text=value, shown=shown, token=True)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _quoted(text: str) -> Iterator[str]:
    """What stands between quotes, and is not what stands between two texts."""
    for found in _STRING.finditer(text):
        if re.match(r"\s*[:,]", found[1]):
            continue
        try:
            yield str(json.loads(f'"{found[1]}"'))
        except ValueError:
            yield found[1]


def in_settings(text: str, shown: str) -> Iterator[Secret]:
    """Of a file of settings or variables: values of what is called a secret, and what stands before an @."""
    for found in _ASSIGNED.finditer(text):
        value = found[2].strip()
        if may_hold_secret(found[1]) and not _WORD.fullmatch(value):
            yield Secret(text=value, shown=shown, token=True)
    yield from in_addresses(text, shown)


def in_addresses(text: str, shown: str) -> Iterator[Secret]:
    """Users and passwords of addresses, as they are written and as they are meant."""
    for found in _USER.finditer(text):
        for whole in {found[1], unquote(found[1])}:
            yield Secret(text=whole, shown=shown)
            yield Secret(text=whole.partition(":")[2], shown=shown)


def in_variables(environ: Mapping[str, str], shown: str) -> Iterator[Secret]:
    """The same for an environment."""
    for name, value in environ.items():
        if may_hold_secret(name) and not _WORD.fullmatch(value) and not value.startswith("/"):
            yield Secret(text=value, shown=shown, token=True)
        yield from in_addresses(value, shown)


# --- everything that is known here -----------------------------------------------------------------------------------


def gathered(store: Store | None, environ: Mapping[str, str]) -> Sweep:
    """What is secret on this machine, as far as it can be known. `store` is None where the pool cannot be read."""
    accounts = store.accounts() if store else ()
    secrets = [*_of_pool(store, accounts), *_of_files(environ), *in_variables(environ, "secret-of-the-environment")]
    labels = {each.label: f"account-{number}" for number, each in enumerate(accounts, 1)}
    folders = {paths.home(environ): "CODEX_ROTATE_HOME", paths.codex_home(environ): "CODEX_HOME", Path.home(): "~"}
    return Sweep(secrets, labels, folders)


def _of_pool(store: Store | None, accounts: Sequence[Account]) -> Iterator[Secret]:
    credentials = store.all_credentials() if store else {}
    for number, each in enumerate(accounts, 1):
        name = f"account-{number}"
        found = credentials.get(each.key)
        for token in (found.access, found.refresh, found.id_token) if found else ():
            yield Secret(text=token, shown=f"token-of-{name}", token=True)
        yield Secret(text=each.email, shown=MAIL.decode(), name=True)
        for text, shown in (
            (each.key, name),
            (each.handle, name),
            (each.account_id, name),
            (each.user_id, f"user-{number}"),
        ):
            yield Secret(text=text, shown=shown, name=True)
    for digest in store.client_keys() if store else ():
        yield Secret(text=digest, shown="digest-of-a-client-key")


def _of_files(environ: Mapping[str, str]) -> Iterator[Secret]:
    for file in (paths.codex_auth_file(environ), paths.codex_accounts_file(environ)):
        yield from in_json(_read(file), "secret-of-the-client")
    for file in (paths.codex_dotenv_file(environ), paths.codex_home(environ) / "config.toml"):
        yield from in_settings(_read(file), "secret-of-the-client")
    yield from in_settings(_read(paths.config_file(environ)), "secret-of-the-settings")
    yield Secret(text=_read(paths.client_key_file(environ)).strip(), shown="client-key", token=True)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_READ).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
