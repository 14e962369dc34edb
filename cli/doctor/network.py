"""`doctor`: whom an address of a proxy belongs to, and where the variables of this shell lead a client."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from certs.bundles import certificates
from certs.environment import BadProxyAddress, bypasses, no_proxy_of, proxy_at, trusted_file
from cli.doctor.finding import Findings, note, ok, problem, warning
from cli.running import joined, proxies
from cli.running.binding import answers
from cli.running.joined_answer import ask_joined
from config import paths
from config.network.hosts import is_loopback

LEADING: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
"""Where the client looks for a proxy; the first one that is set counts."""
TRUSTING: Final = ("CODEX_CA_CERTIFICATE", "SSL_CERT_FILE")
"""The same for what it trusts beside the system's roots."""
START: Final = "Start the client with `codex-rotate run`"
ENV: Final = 'eval "$(codex-rotate env)"'


class At(StrEnum):
    """Who answers at an address."""

    OURS = "ours"
    OTHER_POOL = "other_pool"
    """A codex-rotate with another folder, perhaps on another machine."""
    SOMETHING = "something"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedTo:
    """Where a variable leads. `place` is host and port alone, because an address may hold a password; `trouble` is
    what is wrong with an address that cannot be used, `certificate` what clients of a proxy of ours have to trust.
    `joined`: it is somebody else's, and this user has joined it."""

    name: str
    place: str = ""
    at: At = At.NOTHING
    trouble: str = ""
    certificate: Path | None = None
    joined: bool = False

    @property
    def whose(self) -> str:
        """In words, where it is one to use."""
        return "the proxy that you have joined" if self.joined else "this pool's proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The file that a variable names: whether it can be read, and whether our CA is in it."""

    name: str
    file: Path
    readable: bool = True
    ours: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellFacts:
    """The variables of this shell as a client would take them."""

    led: LedTo | None = None
    differing: bool = False
    bypassing: tuple[str, ...] = ()
    trust: Trust | None = None


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(environ: Mapping[str, str]) -> ShellFacts:
    """Where this shell leads; whoever is there is asked."""
    given = [name for name in LEADING if environ.get(name)]
    led = led_by(given[0], environ[given[0]], environ) if given else None
    spellings = {environ[name] for name in LEADING[:2] if environ.get(name)}
    named = next((name for name in TRUSTING if environ.get(name)), "")
    return ShellFacts(
        led=led,
        differing=len(spellings) > 1,
        bypassing=bypasses(no_proxy_of(environ)),
        trust=trust(named, environ[named], led, environ) if named else None,
    )


def led_by(name: str, url: str, environ: Mapping[str, str]) -> LedTo:
    """Who is there. A key of ours is told to this machine only."""
    try:
        proxy = proxy_at(url)
    except BadProxyAddress as e:
        return LedTo(name=name, trouble=str(e).partition(". ")[0])
    place = f"{proxy.host} port {proxy.port}"
    invitation = joined.known(environ)
    guest = invitation if invitation and (proxy.host, proxy.port) == (invitation.host, invitation.port) else None
    own = guest is None and is_loopback(proxy.host)
    if guest is not None:
        answer = ask_joined(guest)
    else:
        answer = proxies.ask_own(proxy.url, environ) if own else proxies.ask(proxy.url)
    found = answer.presence
    if found is None:
        someone = At.OTHER_POOL if answer.refused else At.SOMETHING
        return LedTo(name=name, place=place, at=someone if answer.status or answers(proxy) else At.NOTHING)
    if guest is not None:
        file = trusted_file(joined.folder(environ))
        return LedTo(name=name, place=place, at=At.OURS, certificate=file, joined=True)
    mine = Path(found.home) == paths.home(environ)
    certificate = trusted_file(Path(found.certificate).parent) if mine else None
    return LedTo(name=name, place=place, at=At.OURS if mine else At.OTHER_POOL, certificate=certificate)


def trust(name: str, path: str, led: LedTo | None, environ: Mapping[str, str]) -> Trust:
    """Whether the file has what clients of that proxy, else of this pool, have to trust."""
    file = Path(path).expanduser()
    wanted = led.certificate if led is not None and led.certificate else trusted_file(paths.ca_folder(environ))
    try:
        held = certificates(file.read_bytes())
    except OSError:
        return Trust(name=name, file=file, readable=False, ours=False)
    return Trust(name=name, file=file, ours=present(wanted) in held)


def present(file: Path) -> bytes | None:
    """The first certificate of a file, which is the one in use."""
    try:
        found = certificates(file.read_bytes())
    except OSError:
        return None
    return found[0] if found else None


# --- judgement -------------------------------------------------------------------------------------------------------


def proxy(shell: ShellFacts) -> Findings:
    led = shell.led
    if led is None:
        yield ok("shell.proxy", "This shell names no proxy: what is started from it goes through the pool with `run`.")
    else:
        yield from leads("shell.proxy", led)
    if shell.differing:
        what = "HTTPS_PROXY and https_proxy name different proxies, and programs differ in which they take."
        yield warning("shell.proxy", what, "Unset one of them.")


def leads(name: str, led: LedTo) -> Findings:
    """Where a variable leads a client that has no other one."""
    if led.trouble:
        what = f"{led.name} cannot be used: {led.trouble[:1].lower()}{led.trouble[1:]}, and then WebSocket fails."
        yield problem(name, what, "Give it as http://HOST:PORT.")
        return
    match led.at:
        case At.OURS:
            yield ok(name, f"{led.name} leads to {led.whose} at {led.place}.")
        case At.OTHER_POOL:
            what = f"{led.name} leads to {led.place}, a codex-rotate with another pool."
            yield note(name, what, f"{START}, or ask its owner for a key file and run `codex-rotate join FILE`.")
        case At.NOTHING:
            what = f"{led.name} leads to {led.place}, where nothing answers: a client reaches nothing."
            yield problem(name, what, f"Unset it, or run `codex-rotate serve`. {START}.")
        case At.SOMETHING:
            what = f"{led.name} leads to {led.place}, which is no codex-rotate: a client goes past the pool."
            remedy = f"{START}; if that proxy is the way out, set `upstream_proxy` to it in config.toml."
            yield warning(name, what, remedy)


def no_proxy(shell: ShellFacts) -> Findings:
    if not shell.bypassing:
        return
    what = f"NO_PROXY has {', '.join(shell.bypassing)}, so a client of this shell goes past the proxy."
    led = shell.led is not None and shell.led.at is At.OURS
    judge = problem if led else warning
    yield judge("shell.no_proxy", what, "Take that out of NO_PROXY, or start the client with `codex-rotate run`.")


def certificate(shell: ShellFacts, *, in_store: bool) -> Findings:
    """`in_store`: whether the system trusts the CA without being told."""
    led = shell.led is not None and shell.led.at is At.OURS
    named = shell.trust
    if named is not None and not named.readable:
        what = f"{named.name} names {named.file}, which cannot be read: a client fails after half a minute of silence."
        judge = problem if led or named.name == TRUSTING[0] else warning
        yield judge("shell.certificate", what, f"Unset it, or run {ENV}.")
    elif led and not in_store and (named is None or not named.ours):
        who = "Nothing in this shell" if named is None else f"{named.file}, which {named.name} names,"
        what = f"{who} has the certificate of the proxy, so a client does not trust it."
        yield problem("shell.certificate", what, f"Run {ENV}.")
    elif led:
        yield ok("shell.certificate", "A client of this shell trusts the proxy.")
