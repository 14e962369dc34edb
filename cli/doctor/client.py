"""`doctor`: the official client: its version and features, where its settings lead it, and how it is logged in."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cli.doctor.finding import Findings, note, ok, problem, told, warning
from cli.running import processes
from cli.running.client_command import CLIENT, INSTALL
from cli.running.client_login import ClientLogin, elsewhere, kept_login, settings_in
from config import paths
from config.version import CLIENT as NEWEST_CLIENT

SECONDS: Final = 15.0
TRIED: Final = tuple(map(int, NEWEST_CLIENT.split(".")))
"""The newest client that this release was tried with."""
AGENT_IDENTITY: Final = "use_agent_identity"
_VERSION: Final = re.compile(r"codex-cli (\d+)\.(\d+)\.(\d+)")
_FEATURE: Final = re.compile(r"(\S+)\s+.*\b(true|false)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """`program` is None where there is none on the PATH; `features` holds those it names, `elsewhere` what in its
    settings leads past the provider, by key. No secret is in it."""

    program: str | None = CLIENT
    version: tuple[int, ...] | None = TRIED
    features: Mapping[str, bool] = field(default_factory=dict)
    settings: Path = Path("config.toml")
    settings_trouble: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    login: ClientLogin = ClientLogin.CHATGPT
    login_trouble: str = ""
    key_variable: bool = False


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(environ: Mapping[str, str]) -> ClientFacts:
    """Ask the client itself, and read its files."""
    program = shutil.which(CLIENT, path=environ.get("PATH"))
    said = asked([program, "--version"], environ) if program else ""
    listed = asked([program, "features", "list"], environ) if program else ""
    file = paths.codex_home(environ) / "config.toml"
    settings, trouble = settings_in(file)
    login, login_trouble = kept_login(environ, settings)
    return ClientFacts(
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


# --- judgement -------------------------------------------------------------------------------------------------------


def version(client: ClientFacts) -> Findings:
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


def features(client: ClientFacts) -> Findings:
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


def settings(client: ClientFacts) -> Findings:
    if client.settings_trouble:
        what = f"{client.settings} cannot be used ({client.settings_trouble})."
        yield warning("client.settings", what, "Correct it: the client reads it at every start.")
    for key, value in client.elsewhere.items():
        what = f"{client.settings} sets {key} to {value}, so the pool serves nothing of what this client asks."
        yield problem("client.settings", what, f"Take {key} out, or leave it out of the profile that you use here.")
    if not client.settings_trouble and not client.elsewhere:
        yield ok("client.settings", "The client's settings lead to the provider that the pool is for.")


def login(client: ClientFacts) -> Findings:
    match client.login:
        case ClientLogin.CHATGPT:
            yield ok("client.login", "The client is logged in with ChatGPT, which is what the pool serves.")
        case ClientLogin.API_KEY:
            what = (
                "The client is logged in with an API key: its requests pay for themselves, the pool never serves them."
            )
            yield problem("client.login", what, "Run `codex login` with any ChatGPT account.")
        case ClientLogin.NONE:
            what = "The client is not logged in, and the pool serves only a client that is."
            yield problem("client.login", what, "Run `codex login` with any ChatGPT account.")
        case ClientLogin.AGENT | ClientLogin.OTHER:
            what = "The client is logged in in a way that the pool cannot replace."
            yield problem("client.login", what, "Run `codex login` with any ChatGPT account.")
        case ClientLogin.HIDDEN:
            what = "The client keeps its login in the system's keyring, where it is not looked for."
            yield note("client.login", what, "`codex login status` says how it is logged in.")
        case ClientLogin.UNREADABLE:
            yield told("client.login", client.login_trouble)
    if client.key_variable:
        what = "CODEX_API_KEY is set: `codex exec` uses that key, and the pool never serves it."
        yield warning("client.login", what, "Unset it.")
