"""`doctor`: the proxies of ours that run, what dead ones left behind, and who has the usual port."""

import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from accounts.people.keys import NOBODY
from certs.environment import DEFAULT_PROXY, BadProxyAddress, proxy_at, trusted_file
from cli.doctor.finding import Findings, note, ok, problem, warning
from cli.doctor.network import At, LedTo, led_by, present
from cli.running import proxies
from cli.running.binding import answers
from cli.running.joined_answer import connect_through
from config import access, clock, proxy_files, version
from config.network.proxy_address import basic
from config.provider import PROVIDER
from config.proxy_files import ProxyInfo

SECONDS: Final = 5.0
UNPROVEN: Final = -1
"""In the place of a status: it answers as a proxy of ours, and does not prove to be one."""


class Signs(StrEnum):
    """With which authority a proxy vouches for its hosts."""

    PRESENT = "present"
    REPLACED = "replaced"
    """With one from before a renewal, which clients that were started since still trust."""
    UNKNOWN = "unknown"
    """With one that no client is told to trust."""
    SILENT = "silent"
    """It did not come to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProxy:
    presence: ProxyInfo
    signs: Signs = Signs.PRESENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """`silent` are processes that live and do not answer as they should, with the status they gave; `stale` the files
    of those that are gone; `usual` who is at the address that `serve` takes by itself; `refused` why nobody can look
    which ones run."""

    running: tuple[RunningProxy, ...] = ()
    silent: tuple[tuple[ProxyInfo, int], ...] = ()
    stale: tuple[Path, ...] = ()
    usual: LedTo | None = None
    version: str = ""
    refused: access.DiskRefusal | None = None


# --- facts -----------------------------------------------------------------------------------------------------------


def gather(environ: Mapping[str, str]) -> Proxies:
    """Every proxy is asked what it is and shakes hands once; none sends anything on for that."""
    found = proxies.running(environ)
    alive = {told.pid for told in found}
    folder, key = proxy_files.folder(environ), proxies.local_key(environ)
    alive |= {told.pid for told in proxy_files.leaving(folder, clock.now())}
    silent, stale = [], []
    for told in proxy_files.announced(folder):
        if told.pid in alive:
            continue
        if gone(told):
            stale.append(folder / f"{told.pid}.json")
        else:
            answer = proxies.ask_own(told.url, environ)
            silent.append((told, UNPROVEN if answer.unproven else answer.status))
    return Proxies(
        running=tuple(RunningProxy(presence=told, signs=signs(told, key)) for told in found),
        silent=tuple(silent),
        stale=tuple(stale),
        usual=led_by("", DEFAULT_PROXY, environ),
        version=version.current(),
        refused=_refused(folder),
    )


def _refused(folder: Path) -> access.DiskRefusal | None:
    try:
        next(folder.iterdir(), None)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        return access.refusal(folder, e.errno) or access.DiskRefusal(folder, "cannot be read", "Check who may read it.")
    return None


def gone(told: ProxyInfo) -> bool:
    """Whether nothing is left of a proxy: neither its process, where that can be seen, nor anybody at its address."""
    try:
        listened = answers(proxy_at(told.url))
    except BadProxyAddress:
        listened = False
    return not listened or proxy_files.runs(told.pid) is False


def signs(told: ProxyInfo, key: str) -> Signs:
    """Shake hands as a client would. Upstream is not reached: the proxy connects there for a request only."""
    trusted = trusted_file(Path(told.certificate).parent)
    now = present(trusted)
    if now is None:
        return Signs.UNKNOWN
    for verdict, held in ((Signs.PRESENT, now), (Signs.REPLACED, trusted.read_bytes())):
        try:
            _shake_hands(told, key, ssl.create_default_context(cadata=held.decode("ascii", "ignore")))
        except ssl.SSLCertVerificationError:
            continue
        except OSError:
            return Signs.SILENT
        return verdict
    return Signs.UNKNOWN


def _shake_hands(told: ProxyInfo, key: str, context: ssl.SSLContext) -> None:
    """Raises ssl.SSLCertVerificationError for a stranger, OSError for what is no proxy of ours."""
    parts = urlsplit(told.url)
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=SECONDS)) as raw:
        connect_through(raw, PROVIDER.host, 443, basic(NOBODY, key) if key else "")
        context.wrap_socket(raw, server_hostname=PROVIDER.host).close()


# --- judgement -------------------------------------------------------------------------------------------------------


def running(found: Proxies) -> Findings:
    if found.refused is not None:
        what = f"Which proxies run cannot be looked at: {found.refused.culprit} {found.refused.what}."
        yield warning("proxy.running", what, found.refused.remedy)
    elif not found.running:
        yield ok("proxy.running", "No proxy of this pool runs; `codex-rotate run` starts one by itself.")
    for each in found.running:
        told = each.presence
        where = f"The proxy at {told.url} (process {told.pid})"
        restart = "End it and start it again; clients have to be restarted too."
        if told.version != found.version:
            what = f"{where} runs codex-rotate {told.version}, and {found.version} is installed."
            yield warning("proxy.version", what, restart)
        if told.insecure:
            what = f"{where} verifies no server (mitmproxy's ssl_insecure)."
            yield warning("proxy.insecure", what, "End it and start it without, unless upstream is your own machine.")
        if each.signs is Signs.REPLACED:
            yield warning("proxy.certificate", f"{where} still signs with the CA from before a renewal.", restart)
        elif each.signs is Signs.UNKNOWN:
            what = f"{where} signs with a CA that no client is told to trust any more."
            yield problem("proxy.certificate", what, restart)
        elif each.signs is Signs.SILENT:
            yield problem("proxy.running", f"{where} runs and lets nobody through.", restart)
        elif told.everything:
            what = f"{where} opens the connections to every host, for debugging (`serve --intercept-all`)."
            yield note("proxy.running", what, "End it when you have seen what you wanted.")
        else:
            yield ok("proxy.running", f"{where} answers.")


def silent(found: Proxies) -> Findings:
    for told, status in found.silent:
        if status == UNPROVEN:
            what, _, remedy = proxies.not_proven(told).rpartition(". ")
            yield problem("proxy.unproven", f"{what}.", remedy)
        elif status == 407:
            what = f"The proxy at {told.url} wants a client key, and client.key has none that it knows."
            yield problem(
                "proxy.key", what, "Run `codex-rotate keys add NAME`, which makes one for our own commands too."
            )
        else:
            what = f"Process {told.pid}, which said that it is a proxy at {told.url}, does not answer as one."
            remedy = f"Look what process {told.pid} is and end it if it is codex-rotate, else delete {told.pid}.json."
            yield problem("proxy.silent", what, remedy)


def stale(found: Proxies) -> Findings:
    if found.stale:
        what = f"Proxies that were killed left {', '.join(file.name for file in found.stale)} behind."
        yield note("proxy.stale", what, "Run `codex-rotate doctor --fix`.")


def usual_port(found: Proxies) -> Findings:
    if found.usual is None:
        return
    place = f"{found.usual.place}, where `serve` listens by itself"
    elsewhere = "`codex-rotate serve --listen HOST:PORT`"
    match found.usual.at:
        case At.SOMETHING:
            what = f"Something that is no codex-rotate has {place}."
            yield warning("proxy.port", what, f"End it, or choose another port: {elsewhere}.")
        case At.OTHER_POOL:
            what = f"A codex-rotate with another pool has {place}."
            yield note("proxy.port", what, f"Choose another port: {elsewhere}.")
        case At.NOTHING:
            yield ok("proxy.port", f"{found.usual.place} is free for `codex-rotate serve`.")


# --- mending ---------------------------------------------------------------------------------------------------------


def forget(file: Path) -> str:
    """Remove what a dead proxy left; says so. Raises OSError."""
    file.unlink(missing_ok=True)
    return f"{file} was removed: its proxy is gone."
