"""What a user may set: in config.toml, or for one run in the environment as CODEX_ROTATE_<KEY>, which wins.

There are few settings on purpose; a decision that can be made here is not asked of the user.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
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

from config import paths
from config.proxy_address import EXAMPLE, ProxyAddress, read_proxy

PREFIX: Final = "CODEX_ROTATE_"
NOT_KEYS: Final = frozenset({"HOME", "SYNC"})
"""What follows the prefix in variables of ours that are no settings."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class ConfigError(Exception):
    """A setting that cannot be used: which file or variable, which key, what to do. The CLI shows it as one line."""

    exit_code = 2


def _base_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in {"https", "http"} or not url.hostname:
        raise ValueError("must be an address such as https://chatgpt.com/backend-api")
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


class Settings(BaseModel):
    """What the user may choose; the description of each is what `config explain` says."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    chatgpt_base_url: Annotated[
        str,
        AfterValidator(_base_url),
        Field(description="The backend that our own calls go to; plain http is for a stand-in on this machine."),
    ] = "https://chatgpt.com/backend-api"
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

    @model_validator(mode="after")
    def _pinned_needs_an_account(self) -> Self:
        if self.strategy == "pinned" and not self.pinned_account.strip():
            raise ValueError("strategy pinned needs pinned_account, the label of the account that shall serve")
        return self


def load(environ: Mapping[str, str] = os.environ, path: Path | None = None) -> Settings:
    """The settings in force. Without `path` the file is `config.toml` in our home; it need not exist.

    Raises ConfigError.
    """
    file = path or paths.config_file(environ)
    in_file = _from_file(file)
    in_environ = dict(_from_environ(environ))
    for source, keys in ((str(file), in_file), ("the environment", in_environ)):
        for key in keys:
            _known(source, key, PREFIX if keys is in_environ else "")
    try:
        return Settings.model_validate(in_file | in_environ)
    except ValidationError as e:
        first = e.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "strategy"  # the only rule that is about two keys
        source = f"the environment: {PREFIX}{key.upper()}" if key in in_environ else f"{file}: {key}"
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{source}: {reason[:1].lower()}{reason[1:]}. Correct it or remove it.") from None


def _from_file(file: Path) -> dict[str, Any]:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(file.read_text("utf-8-sig")).unwrap()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as e:
        reason = getattr(e, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{file} cannot be read ({reason}). Make it a readable text file or remove it.") from e
    except TOMLKitError as e:
        raise ConfigError(f"{file} is not valid TOML ({e}). Correct that line or remove the file.") from e


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        key = name.removeprefix(PREFIX)
        if key != name and key not in NOT_KEYS:
            yield key.lower(), value


def _known(source: str, key: str, prefix: str) -> None:
    names = list(Settings.model_fields)
    if key in names:
        return
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    known = near or names
    shown = ", ".join(f"{prefix}{name.upper()}" if prefix else name for name in known)
    wrong = f"{prefix}{key.upper()}" if prefix else key
    hint = f"Did you mean {shown}?" if near else f"Remove it; the settings are: {shown}."
    raise ConfigError(f"{source}: there is no setting {wrong}. {hint}")
