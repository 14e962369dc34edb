"""How the official client is logged in, as far as its files and its environment tell, and whether the pool is for that.

The client says nothing of it before its first turn, and then only that it is reconnecting.
"""

import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from accounts.codex_files.client_files import read_file
from accounts.errors import BadClientFile
from accounts.origin import PROVIDER_HOST
from config import paths
from config.errors import RotateError
from config.provider import PROVIDER

BUILT_IN: Final = "openai"
"""The client's provider that the pool is for."""
ASKING: Final = frozenset({"", "exec", "e", "review", "resume", "fork"})
"""The client's subcommands that ask a model; "" is none, as in `codex "fix the build"`."""
OTHERS: Final = frozenset(
    {
        "a", "agents", "app-server", "apply", "archive", "cloud", "completion", "debug", "delete", "doctor",
        "exec-server", "features", "help", "login", "logout", "mcp", "migrate-nfs-db", "migrate-rollouts", "plugin",
        "queue", "remote-control", "sandbox", "unarchive", "update",
    }
)  # fmt: skip
"""Its other ones, which work without a login, or ask for it themselves."""
WITH_VALUE: Final = frozenset(
    {
        "-c", "--config", "--enable", "--disable", "--remote", "--remote-auth-token-env", "-i", "--image", "-m",
        "--model", "--local-provider", "-p", "--profile", "-s", "--sandbox", "-C", "--cd", "--add-dir", "-a",
        "--ask-for-approval",
    }
)  # fmt: skip
"""Its options that take the next word."""
ASKING_NOBODY: Final = frozenset({"-h", "--help", "-V", "--version"})
ELSEWHERE: Final = frozenset({"--oss", "--local-provider", "--remote", "-p", "--profile"})
"""With these it may not need the login that is kept."""
TELLING: Final = ("cli_auth_credentials_store", "model_provider", "forced_login_method")
"""Settings that decide about the login, and can be given with `-c`."""
LOG_IN: Final = "Run `codex login` and choose ChatGPT; one of the accounts of the pool will do. Nothing was started."
OWN_LOGIN: Final = "A `codex-rotate login` with that account gives the pool a login of its own."
"""For a login that the client and the pool share."""


class ClientNotLoggedIn(RotateError):
    def __init__(self) -> None:
        super().__init__(
            f"The client is not logged in, and without a login of its own it would go past the pool. {LOG_IN}"
        )


class ClientUsesApiKey(RotateError):
    def __init__(self) -> None:
        super().__init__(
            f"The client is logged in with an API key: it asks {PROVIDER.api_host}, past the pool, and the key pays "
            f"for it. {LOG_IN}"
        )


class KeyVariableSet(RotateError):
    def __init__(self) -> None:
        super().__init__(
            f"CODEX_API_KEY is set: `codex exec` asks {PROVIDER.api_host} with that key, past the pool. Unset it, and "
            "log in with `codex login` (ChatGPT) if you have not yet. Nothing was started."
        )


class ClientLogin(StrEnum):
    """How the client identifies itself."""

    CHATGPT = "chatgpt"
    API_KEY = "api_key"
    AGENT = "agent"
    OTHER = "other"
    NONE = "none"
    HIDDEN = "hidden"
    """In the system's keyring, where it is not looked for."""
    UNREADABLE = "unreadable"


# --- before a start --------------------------------------------------------------------------------------------------


def check(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Whether the client may be started with these words. Raises ClientNotLoggedIn, ClientUsesApiKey, KeyVariableSet.

    What cannot be told is no reason to refuse.
    """
    if not needs_login(words):
        return
    if environ.get("CODEX_API_KEY") and subcommand(words) in {"exec", "e"}:
        raise KeyVariableSet
    if environ.get("CODEX_ACCESS_TOKEN"):
        return
    settings, trouble = settings_in(paths.codex_home(environ) / "config.toml")
    if trouble or elsewhere(settings):
        return
    match kept_login(environ, settings)[0]:
        case ClientLogin.NONE:
            raise ClientNotLoggedIn
        case ClientLogin.API_KEY:
            raise ClientUsesApiKey


def needs_login(words: Sequence[str]) -> bool:
    """Whether these words make the client ask a model, as the login that it keeps."""
    words = before_dashes(words)
    told = any(setting in word for word in words for setting in TELLING)
    leads = {word.partition("=")[0] for word in words} & (ASKING_NOBODY | ELSEWHERE)
    return subcommand(words) in ASKING and not told and not leads


def subcommand(words: Sequence[str]) -> str:
    """The client's subcommand, "" for none: the first word may be a prompt as well."""
    value = False
    for word in before_dashes(words):
        if value:
            value = False
        elif word.startswith("-"):
            value = word in WITH_VALUE
        else:
            return word if word in ASKING | OTHERS else ""
    return ""


def before_dashes(words: Sequence[str]) -> Sequence[str]:
    return words[: words.index("--")] if "--" in words else words


# --- facts -----------------------------------------------------------------------------------------------------------


def settings_in(file: Path) -> tuple[dict[str, Any], str]:
    """The client's own settings, and why they cannot be read."""
    try:
        return tomllib.loads(file.read_text("utf-8-sig")), ""
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError) as e:
        return {}, getattr(e, "strerror", None) or "it is not valid TOML"


def elsewhere(settings: Mapping[str, Any]) -> dict[str, str]:
    """What leads the client past the provider that the pool is for. Of addresses the host alone: they may hold keys."""
    found = {}
    provider = settings.get("model_provider")
    if isinstance(provider, str) and provider not in {"", BUILT_IN}:
        found["model_provider"] = provider
    for key in ("chatgpt_base_url", "openai_base_url"):
        url = settings.get(key)
        if isinstance(url, str) and url and not _provider(url):
            found[key] = _host(url)
    if settings.get("forced_login_method") == "api":
        found["forced_login_method"] = "api"
    return found


def _provider(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    return parts.scheme == "https" and port in {None, 443} and PROVIDER_HOST.fullmatch(host) is not None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "an address without a host"
    except ValueError:
        return "an address that cannot be read"


def kept_login(environ: Mapping[str, str], settings: Mapping[str, Any]) -> tuple[ClientLogin, str]:
    """What is in the client's own file, and why that cannot be read."""
    file = paths.codex_auth_file(environ)
    try:
        found = read_file(file)
    except BadClientFile as e:
        return ClientLogin.UNREADABLE, str(e)
    if found is None:
        kept = settings.get("cli_auth_credentials_store")
        return (ClientLogin.HIDDEN if kept in {"keyring", "auto", "ephemeral"} else ClientLogin.NONE), ""
    return login_in(found.document), ""


def login_in(document: Mapping[str, Any]) -> ClientLogin:
    """Of an auth.json (docs/codex-wire.md section 4)."""
    mode = document.get("auth_mode")
    if mode == "agentIdentity" or (mode is None and document.get("agent_identity")):
        return ClientLogin.AGENT
    if mode == "apikey" or (mode is None and document.get("OPENAI_API_KEY") is not None):
        return ClientLogin.API_KEY  # without a mode the key goes before the tokens
    if mode in {"bedrockApiKey", "bedrockAccessKeys", "headers"}:
        return ClientLogin.OTHER
    if isinstance(document.get("tokens"), dict) or document.get("personal_access_token"):
        return ClientLogin.CHATGPT
    return ClientLogin.NONE
