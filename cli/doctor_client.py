"""`doctor`: the official client: its version and features, where its settings lead it, and how it is logged in."""

import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from accounts.client_files import read_file
from accounts.errors import BadClientFile
from accounts.origin import PROVIDER_HOST
from cli import processes
from cli.doctor_finding import Findings, note, ok, problem, told, warning
from cli.run_commands import CLIENT, INSTALL
from config import paths

SECONDS: Final = 15.0
TRIED: Final = (0, 169, 0)
"""The newest client that this release was tried with."""
AGENT_IDENTITY: Final = "use_agent_identity"
BUILT_IN: Final = "openai"
"""The client's provider that the pool is for."""
_VERSION: Final = re.compile(r"codex-cli (\d+)\.(\d+)\.(\d+)")
_FEATURE: Final = re.compile(r"(\S+)\s+.*\b(true|false)\s*")


class Login(StrEnum):
    """How the client identifies itself."""

    CHATGPT = "chatgpt"
    API_KEY = "api_key"
    AGENT = "agent"
    OTHER = "other"
    NONE = "none"
    HIDDEN = "hidden"
    """In the system's keyring, where it is not looked for."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """`program` is None where there is none on the PATH; `features` holds those it names, `elsewhere` what in its
    settings leads past the provider, by key. No secret is in it."""

    program: str | None = CLIENT
    version: tuple[int, ...] | None = TRIED
    features: Mapping[str, bool] = field(default_factory=dict)
    settings: Path = Path("config.toml")
    settings_trouble: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    login: Login = Login.CHATGPT
    login_trouble: str = ""
    key_variable: bool = False


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(environ: Mapping[str, str]) -> Client:
    """Ask the client itself, and read its files."""
    program = shutil.which(CLIENT, path=environ.get("PATH"))
    said = asked([program, "--version"], environ) if program else ""
    listed = asked([program, "features", "list"], environ) if program else ""
    file = paths.codex_home(environ) / "config.toml"
    settings, trouble = _settings(file)
    login, login_trouble = _login(environ, settings)
    return Client(
        program=program,
        version=version_in(said),
        features=features_in(listed),
        settings=file,
        settings_trouble=trouble,
        elsewhere=elsewhere(settings),
        login=login,
        login_trouble=login_trouble,
        key_variable=bool(environ.get("CODEX_API_KEY")),
    )


def asked(argv: list[str], environ: Mapping[str, str], seconds: float = SECONDS) -> str:
    """What a program says on stdout, "" when it cannot be run."""
    try:
        return processes.run(argv, environ, here(), seconds).out
    except (OSError, ValueError):  # ValueError: it speaks another encoding
        return ""


def here() -> Path:
    """Where we are, because the client reads settings there; home when that folder is gone."""
    try:
        return Path.cwd()
    except OSError:
        return Path.home()


def version_in(said: str) -> tuple[int, ...] | None:
    found = _VERSION.search(said)
    return tuple(map(int, found.groups())) if found else None


def features_in(listed: str) -> dict[str, bool]:
    """Of lines such as `apps   stable   true`."""
    found = (_FEATURE.fullmatch(line) for line in listed.splitlines())
    return {each[1]: each[2] == "true" for each in found if each}


def _settings(file: Path) -> tuple[dict[str, Any], str]:
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


def _login(environ: Mapping[str, str], settings: Mapping[str, Any]) -> tuple[Login, str]:
    file = paths.codex_auth_file(environ)
    try:
        found = read_file(file)
    except BadClientFile as e:
        return Login.UNREADABLE, str(e)
    if found is None:
        kept = settings.get("cli_auth_credentials_store")
        return (Login.HIDDEN if kept in {"keyring", "auto"} else Login.NONE), ""
    return login_in(found.document), ""


def login_in(document: Mapping[str, Any]) -> Login:
    """Of an auth.json (docs/codex-wire.md section 4)."""
    mode = document.get("auth_mode")
    if mode == "agentIdentity" or (mode is None and document.get("agent_identity")):
        return Login.AGENT
    if mode == "apikey":
        return Login.API_KEY
    if mode in {"bedrockApiKey", "bedrockAccessKeys", "headers"}:
        return Login.OTHER
    if isinstance(document.get("tokens"), dict) or document.get("personal_access_token"):
        return Login.CHATGPT
    return Login.API_KEY if document.get("OPENAI_API_KEY") else Login.NONE


# --- judgement -------------------------------------------------------------------------------------------------------


def version(client: Client) -> Findings:
    if client.program is None:
        what = "No `codex` is on the PATH; an IDE or the desktop app may bring one of its own."
        yield note("client.version", what, f"Install it with `{INSTALL}` if you use it in a terminal.")
    elif client.version is None:
        what = f"{client.program} does not say which version of Codex it is."
        yield warning("client.version", what, f"Install it again: `{INSTALL}`.")
    else:
        spelled = ".".join(map(str, client.version))
        if client.version > TRIED:
            known = ".".join(map(str, TRIED))
            yield note("client.version", f"Codex {spelled} is newer than {known}, which this release was tried with.")
        else:
            yield ok("client.version", f"Codex {spelled} is on the PATH.")


def features(client: Client) -> Findings:
    on = {name for name, enabled in client.features.items() if enabled}
    if AGENT_IDENTITY in on:
        what = f"The client's feature {AGENT_IDENTITY} is on: it signs requests with a key that no other account has."
        yield problem("client.features", what, f"Run `codex features disable {AGENT_IDENTITY}`.")
    elif client.features:
        yield ok("client.features", "No feature of the client is on that the pool cannot serve.")
    elif client.program is not None:
        yield note("client.features", "The client does not list its features, so they were not looked at.")
    if "network_proxy" in on:
        what = "The client's feature network_proxy is on: its tools go through a proxy of the client's own."
        yield note("client.features", what, "Nothing has to be done: requests to the model still come here.")
    if "respect_system_proxy" in on:
        what = "The client's feature respect_system_proxy is on: on macOS and Windows the system's proxy comes first."
        yield warning("client.features", what, "Run `codex features disable respect_system_proxy`.")


def settings(client: Client) -> Findings:
    if client.settings_trouble:
        what = f"{client.settings} cannot be used ({client.settings_trouble})."
        yield warning("client.settings", what, "Correct it: the client reads it at every start.")
    for key, value in client.elsewhere.items():
        what = f"{client.settings} sets {key} to {value}, so the pool serves nothing of what this client asks."
        yield problem("client.settings", what, f"Take {key} out, or leave it out of the profile that you use here.")
    if not client.settings_trouble and not client.elsewhere:
        yield ok("client.settings", "The client's settings lead to the provider that the pool is for.")


def login(client: Client) -> Findings:
    match client.login:
        case Login.CHATGPT:
            yield ok("client.login", "The client is logged in with ChatGPT, which is what the pool serves.")
        case Login.API_KEY:
            what = (
                "The client is logged in with an API key: its requests pay for themselves, the pool never serves them."
            )
            yield problem("client.login", what, "Run `codex login` with any ChatGPT account.")
        case Login.NONE:
            what = "The client is not logged in, and the pool serves only a client that is."
            yield problem("client.login", what, "Run `codex login` with any ChatGPT account.")
        case Login.AGENT | Login.OTHER:
            what = "The client is logged in in a way that the pool cannot replace."
            yield problem("client.login", what, "Run `codex login` with any ChatGPT account.")
        case Login.HIDDEN:
            what = "The client keeps its login in the system's keyring, where it is not looked for."
            yield note("client.login", what, "`codex login status` says how it is logged in.")
        case Login.UNREADABLE:
            yield told("client.login", client.login_trouble)
    if client.key_variable:
        what = "CODEX_API_KEY is set: `codex exec` uses that key, and the pool never serves it."
        yield warning("client.login", what, "Unset it.")
