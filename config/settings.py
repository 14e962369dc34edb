"""What a user may set: in config.toml, or for one run in the environment as CODEX_ROTATE_<KEY>, which wins.

There are few settings on purpose; a decision that can be made here is not asked of the user.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from msgspec import NODEFAULT, Meta, Struct, ValidationError, convert, field, structs

from config import paths, settings_file
from config.errors import ConfigError
from config.network.proxy_address import EXAMPLE, ProxyAddress, read_proxy
from config.notify import NotifySettings, read_notify, shown_notify
from config.provider import PROVIDER

__all__ = ["ConfigError", "Settings", "load"]

PREFIX: Final = "CODEX_ROTATE_"
NOT_KEYS: Final = frozenset({"HOME", "SYNC"})
"""What follows the prefix in variables of ours that are no settings."""

_NAME: Final = re.compile(r"\w{1,60}", re.ASCII)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
TABLES: Final = frozenset({"prices", "notify"})
"""Settings that are tables of the file."""


_Model = Annotated[str, Meta(min_length=1, max_length=100)]
_Dollars = Annotated[float, Meta(ge=0, le=100_000)]


class Settings(Struct, frozen=True, kw_only=True):
    """What the user may choose; the description of each is what `config explain` says."""

    chatgpt_base_url: Annotated[
        str, Meta(description="The backend that our own calls go to; plain http is for a stand-in on this machine.")
    ] = PROVIDER.backend_url
    strategy: Annotated[
        Literal["balanced", "drain", "round_robin", "pinned"],
        Meta(description="Where new threads go. pinned: only to the account that `pinned_account` names."),
    ] = "balanced"
    pinned_account: Annotated[
        str, Meta(description="Label, e-mail or account id of the only account that may serve, with strategy pinned.")
    ] = ""
    defer_percent: Annotated[
        float, Meta(ge=1, le=100, description="From this much of a quota window on, an account waits behind others.")
    ] = 95.0
    park_seconds: Annotated[
        int,
        Meta(ge=0, le=3600, description="With every account at its limit: the client waits by itself if it is less."),
    ] = 120
    on_foreign_compaction: Annotated[
        Literal["pin", "drop"],
        Meta(
            description="When the account that summarised a conversation is at its limit. pin: wait for it. "
            "drop: go on elsewhere without the summary."
        ),
    ] = "pin"

    mid_answer: Annotated[
        Literal["continue", "client"],
        Meta(
            description="When an account dies in the middle of an answer. continue: another account goes on with it. "
            "client: the client is told, and asks again by itself."
        ),
    ] = "continue"

    show_pool: Annotated[
        Literal["own", "pool"],
        Meta(
            description="Whose limits the client shows. own: those of its own login, and of the account that serves. "
            "pool: those of the account that has most left. With a login by `people login` it is always the pool."
        ),
    ] = "own"

    usage_days: Annotated[
        int,
        Meta(ge=1, le=3650, description="How many days the ledger keeps each turn; its sums by the hour stay."),
    ] = 90
    show_prices: Annotated[
        bool, Meta(description="Whether `usage` tells what the tokens would have cost at the provider's API.")
    ] = True
    prices: Annotated[
        dict[_Model, tuple[_Dollars, _Dollars, _Dollars]],
        Meta(
            description="A table [prices] with prices of your own, which go before those that are built in: a line "
            '"MODEL" = [INPUT, CACHED INPUT, OUTPUT] for each model, in US dollars for a million tokens.'
        ),
    ] = field(default_factory=dict)

    upstream_proxy: Annotated[
        ProxyAddress | None,
        Meta(
            description="The proxy between this machine and the internet, for all that codex-rotate sends: "
            "http://host:port or http://user:password@host:port, percent-encoded. What is on this machine is reached "
            "directly."
        ),
    ] = None

    notify: Annotated[
        NotifySettings | None,
        Meta(
            description="A table [notify] that says who is told when something happens to the pool: `command`, a "
            "program and its arguments, and `webhook`, an https address with `secret` or `secret_file`. `events` says "
            "of what, `quiet` when not, `pool_left` at which percentages of the pool."
        ),
    ] = None


_TYPES: Final = get_type_hints(Settings, include_extras=True)
KEYS: Final = tuple(_TYPES)
"""Of all settings, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with the value of a setting, as the rest of a sentence."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class SettingMeaning:
    """What a setting is for, what it may be and what it is when nobody sets it. `allowed` is for people; `choices` are
    all the values there are, where these can be counted."""

    meaning: str
    allowed: str
    choices: tuple[str, ...]
    default: Any


# --- read ------------------------------------------------------------------------------------------------------------


def _base_url(value: object) -> str:
    text = _plain("chatgpt_base_url", value)
    try:
        url = urlsplit(text)
        usable = url.scheme in {"https", "http"} and url.hostname and url.port != 0
    except ValueError:  # its reason may repeat a password
        usable = False
    if not usable:
        raise ValueError(f"must be an address such as {PROVIDER.backend_url}")
    if url.scheme == "http" and url.hostname not in _LOOPBACK:
        raise ValueError("must be https, because account tokens are sent there")
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("must have no user name, password, query or fragment")
    return str(text.rstrip("/"))


def _proxy(value: object) -> ProxyAddress | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"must be an address such as {EXAMPLE}")  # noqa: TRY004 - a mistake of the user's
    return read_proxy(value) if value.strip() else None


def _switch(value: object) -> bool:
    known = isinstance(value, str) and value.strip().lower() in _WORDS
    return bool(_plain("show_prices", _WORDS[str(value).strip().lower()] if known else value))


def _prices(value: object) -> object:
    try:
        return _plain("prices", value)
    except ValueError:
        raise ValueError(
            'must be a table with a line "MODEL" = [INPUT, CACHED INPUT, OUTPUT] for each model, three numbers from 0 '
            "to 100000"
        ) from None


_NUMBERS: Final = frozenset({int, float})
_WORDS: Final = {**dict.fromkeys(("on", "yes", "true", "1"), True), **dict.fromkeys(("off", "no", "false", "0"), False)}
_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "chatgpt_base_url": _base_url,
    "show_prices": _switch,
    "prices": _prices,
    "upstream_proxy": _proxy,
    "notify": read_notify,
}
"""Of settings that their type does not tell all of. Each raises ValueError with the rest of a sentence."""


def _plain(key: str, value: object) -> Any:
    """A value as the type of its setting has it, which text may stand for. The reason repeats nothing of it: it may be
    a password. Raises ValueError."""
    kind = _TYPES[key]
    if isinstance(value, str) and get_args(kind)[0] in _NUMBERS:
        value = value.strip()
    try:
        return convert(value, kind, strict=False)
    except ValidationError:
        about = described()[key]
        raise ValueError(f"must be {'one of ' if about.choices else ''}{about.allowed}") from None


def _read(key: str, value: object) -> Any:
    reader = _READERS.get(key)
    return reader(value) if reader is not None else _plain(key, value)


def _settings(values: Mapping[str, Any]) -> Settings | Mistake:
    read = dict[str, Any]()
    for key, value in values.items():
        if key not in KEYS:
            return Mistake(key, "is no setting")
        try:
            read[key] = _read(key, value)
        except ValueError as e:
            return Mistake(key, str(e))
    made = Settings(**read)
    if made.strategy == "pinned" and not made.pinned_account.strip():
        needed = "strategy pinned needs pinned_account, the label of the account that shall serve"
        return Mistake("strategy", needed)
    return made


# --- in force --------------------------------------------------------------------------------------------------------


def load(environ: Mapping[str, str] = os.environ, path: Path | None = None) -> Settings:
    """The settings in force. Without `path` the file is `config.toml` in our home; it need not exist.

    Raises ConfigError.
    """
    file = path or paths.config_file(environ)
    return checked(file, settings_file.read(file), environ)


def checked(
    file: Path, content: bytes | None, environ: Mapping[str, str], instead: Mapping[str, Any] = MappingProxyType({})
) -> Settings:
    """The settings in force with `content` in the file, but for the values of `instead`. Raises ConfigError."""
    in_file, in_environ = settings_file.values(file, content) | dict(instead), in_environment(environ)
    for key in (key for key in in_file if key not in KEYS):
        where = f" (line {settings_file.lines(file, content)[key]})"
        raise ConfigError(f"{file}: {unknown(key, where)}")
    for key in (key for key in in_environ if key not in KEYS):
        raise ConfigError(f"the environment: {unknown(key, prefix=PREFIX)}")
    found = _settings(in_file | in_environ)
    if isinstance(found, Settings):
        return found
    source, line = f"the environment: {variable(found.key)}", None
    if found.key not in in_environ:
        source, line = f"{file}: {found.key}", settings_file.lines(file, content).get(found.key)
    where = f" (line {line})" if line else ""
    raise ConfigError(f"{source}: {found.reason}{where}. Correct it or remove it.")


def in_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What variables of ours set, by key."""
    names = {name: name.removeprefix(PREFIX) for name in environ}
    return {key.lower(): environ[name] for name, key in names.items() if key != name and key not in NOT_KEYS}


def variable(key: str) -> str:
    """The variable that sets `key` for one run."""
    return f"{PREFIX}{key.upper()}"


def mistake(values: Mapping[str, Any]) -> Mistake | None:
    """The first thing that is wrong with these values."""
    found = _settings(values)
    return found if isinstance(found, Mistake) else None


# --- told ------------------------------------------------------------------------------------------------------------


def described() -> dict[str, SettingMeaning]:
    """Every setting, by key, in the order in which they are shown."""
    told = {}
    for each in structs.fields(Settings):
        kind, (about,) = get_args(_TYPES[each.name])[0], get_args(_TYPES[each.name])[1:]
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        kinds = {int: "a whole number", float: "a number", bool: "true or false"}
        words = "a table" if each.name in TABLES else kinds.get(kind, "text")
        bounds = f" from {about.ge:g} to {about.le:g}" if about.ge is not None else ""
        allowed = ", ".join(choices) or words + bounds
        default = each.default if each.default_factory is NODEFAULT else each.default_factory()
        told[each.name] = SettingMeaning(about.description or "", allowed, choices, default)
    return told


def shown(value: Any) -> Any:
    """The value of a setting without a password, or another secret."""
    if isinstance(value, NotifySettings):
        return shown_notify(value)
    if not isinstance(value, ProxyAddress):
        return value
    return f"{value.scheme}://***@{value.place}" if value.authorization else str(value)


def unknown(key: str, where: str = "", *, remedy: str = "Remove it; the", prefix: str = "") -> str:
    """That there is no such setting, and the nearest one. What cannot be the name of one is not repeated: it may be a
    value in the wrong place, and a value may hold a password."""
    names = list(KEYS)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    shown = ", ".join(variable(name) if prefix else name for name in near or names)
    wrong = f"{prefix}{key.upper()}" if prefix else key
    advice = f"Did you mean {shown}?" if near else f"{remedy} settings are: {shown}."
    return f"there is no setting {name_of(wrong)}{where}. {advice}"


def name_of(key: str) -> str:
    """A key in a sentence."""
    return key if _NAME.fullmatch(key) else "of that name"
