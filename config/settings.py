"""What a user may set: in config.toml, or for one run in the environment as CODEX_ROTATE_<KEY>, which wins.

There are few settings on purpose; a decision that can be made here is not asked of the user.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    ValidationError,
    model_validator,
)

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


def _base_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in {"https", "http"} or not url.hostname:
        raise ValueError(f"must be an address such as {PROVIDER.backend_url}")
    if url.scheme == "http" and url.hostname not in _LOOPBACK:
        raise ValueError("must be https, because account tokens are sent there")
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("must have no user name, password, query or fragment")
    return value.rstrip("/")


def _proxy(value: object) -> ProxyAddress | None:
    if value is None or isinstance(value, ProxyAddress):
        return value
    if not isinstance(value, str):
        raise ValueError(f"must be an address such as {EXAMPLE}")  # noqa: TRY004 - what pydantic turns into its own
    return read_proxy(value) if value.strip() else None


def _price(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ValueError("must be a list of three numbers: input, cached input, output")
    return tuple(value)


_Model = Annotated[str, Field(min_length=1, max_length=100)]
_Dollars = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class Settings(BaseModel):
    """What the user may choose; the description of each is what `config explain` says."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    chatgpt_base_url: Annotated[
        str,
        AfterValidator(_base_url),
        Field(description="The backend that our own calls go to; plain http is for a stand-in on this machine."),
    ] = PROVIDER.backend_url
    strategy: Annotated[
        Literal["balanced", "drain", "round_robin", "pinned"],
        Field(description="Where new threads go. pinned: only to the account that `pinned_account` names."),
    ] = "balanced"
    pinned_account: Annotated[
        str, Field(description="Label, e-mail or account id of the only account that may serve, with strategy pinned.")
    ] = ""
    defer_percent: Annotated[
        float, Field(ge=1, le=100, description="From this much of a quota window on, an account waits behind others.")
    ] = 95.0
    park_seconds: Annotated[
        int,
        Field(ge=0, le=3600, description="With every account at its limit: the client waits by itself if it is less."),
    ] = 120
    on_foreign_compaction: Annotated[
        Literal["pin", "drop"],
        Field(
            description="When the account that summarised a conversation is at its limit. pin: wait for it. "
            "drop: go on elsewhere without the summary."
        ),
    ] = "pin"

    mid_answer: Annotated[
        Literal["continue", "client"],
        Field(
            description="When an account dies in the middle of an answer. continue: another account goes on with it. "
            "client: the client is told, and asks again by itself."
        ),
    ] = "continue"

    show_pool: Annotated[
        Literal["own", "pool"],
        Field(
            description="Whose limits the client shows. own: those of its own login, and of the account that serves. "
            "pool: those of the account that has most left. With a login by `people login` it is always the pool."
        ),
    ] = "own"

    usage_days: Annotated[
        int,
        Field(ge=1, le=3650, description="How many days the ledger keeps each turn; its sums by the hour stay."),
    ] = 90
    show_prices: Annotated[
        bool, Field(description="Whether `usage` tells what the tokens would have cost at the provider's API.")
    ] = True
    prices: Annotated[
        dict[_Model, Annotated[tuple[_Dollars, _Dollars, _Dollars], BeforeValidator(_price)]],
        Field(
            description="A table [prices] with prices of your own, which go before those that are built in: a line "
            '"MODEL" = [INPUT, CACHED INPUT, OUTPUT] for each model, in US dollars for a million tokens.'
        ),
    ] = {}

    upstream_proxy: Annotated[
        InstanceOf[ProxyAddress] | None,
        BeforeValidator(_proxy),
        PlainSerializer(lambda proxy: None if proxy is None else str(proxy)),
        Field(
            description="The proxy between this machine and the internet, for all that codex-rotate sends: "
            "http://host:port or http://user:password@host:port, percent-encoded. What is on this machine is reached "
            "directly."
        ),
    ] = None

    notify: Annotated[
        InstanceOf[NotifySettings] | None,
        BeforeValidator(read_notify),
        PlainSerializer(shown_notify),
        Field(
            description="A table [notify] that says who is told when something happens to the pool: `command`, a "
            "program and its arguments, and `webhook`, an https address with `secret` or `secret_file`. `events` says "
            "of what, `quiet` when not, `pool_left` at which percentages of the pool."
        ),
    ] = None

    @model_validator(mode="after")
    def _pinned_needs_an_account(self) -> Self:
        if self.strategy == "pinned" and not self.pinned_account.strip():
            raise ValueError("strategy pinned needs pinned_account, the label of the account that shall serve")
        return self


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
    for key in (key for key in in_file if key not in Settings.model_fields):
        where = f" (line {settings_file.lines(file, content)[key]})"
        raise ConfigError(f"{file}: {unknown(key, where)}")
    for key in (key for key in in_environ if key not in Settings.model_fields):
        raise ConfigError(f"the environment: {unknown(key, prefix=PREFIX)}")
    found = mistake(in_file | in_environ)
    if found is None:
        return Settings.model_validate(in_file | in_environ)
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
    try:
        Settings.model_validate(values)
    except ValidationError as e:
        first = e.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "strategy"  # the only rule that is about two keys
        reason = first["msg"].removeprefix("Value error, ")
        return Mistake(key, f"{reason[:1].lower()}{reason[1:]}")
    return None


# --- told ------------------------------------------------------------------------------------------------------------


def described() -> dict[str, SettingMeaning]:
    """Every setting, by key, in the order in which they are shown."""
    told = {}
    for key, field in Settings.model_fields.items():
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        bounds = {name: getattr(each, name) for each in field.metadata for name in ("ge", "le") if hasattr(each, name)}
        kinds = {int: "a whole number", float: "a number", bool: "true, false"}
        kind = "a table" if key in TABLES else kinds.get(field.annotation or object, "text")
        allowed = ", ".join(choices) or kind + (f" from {bounds['ge']} to {bounds['le']}" if len(bounds) == 2 else "")
        told[key] = SettingMeaning(field.description or "", allowed, choices, field.default)
    return told


def unknown(key: str, where: str = "", *, remedy: str = "Remove it; the", prefix: str = "") -> str:
    """That there is no such setting, and the nearest one. What cannot be the name of one is not repeated: it may be a
    value in the wrong place, and a value may hold a password."""
    names = list(Settings.model_fields)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    shown = ", ".join(variable(name) if prefix else name for name in near or names)
    wrong = f"{prefix}{key.upper()}" if prefix else key
    advice = f"Did you mean {shown}?" if near else f"{remedy} settings are: {shown}."
    return f"there is no setting {name_of(wrong)}{where}. {advice}"


def name_of(key: str) -> str:
    """A key in a sentence."""
    return key if _NAME.fullmatch(key) else "of that name"
