"""`doctor`: two real requests through the proxy, as a client makes them before it asks a model anything.

The catalogue of models is fetched, and a WebSocket is opened and closed again without a word: neither spends quota. The
requests bear no real login. The proxy replaces a bearer whatever it is, so one that nobody issued tells more: an answer
of the provider proves that an account of the pool was asked, where the client's own token would get one by itself.
"""

import base64
import re
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from accounts.choice.decision_record import DECISION, read_record
from accounts.people.keys import NOBODY
from accounts.store.store import Store
from certs.environment import trusted_file
from cli.doctor import tls as doctor_tls
from cli.running import joined, own_proxy, proxies
from cli.running.client_command import Bound
from cli.running.joined_answer import ask_joined
from config import clock, paths, proxy_files
from config.errors import RotateError
from config.provider import PROVIDER
from config.proxy_files import ProxyInfo

if TYPE_CHECKING:
    import httpx

BACKEND: Final = f"https://{PROVIDER.host}{PROVIDER.codex_path}"
BEARER: Final = "Bearer codex-rotate-doctor"
SECONDS: Final = 60.0
"""For one answer: the proxy may ask several accounts."""
LOOKS: Final = 20
LOOK_SECONDS: Final = 0.05
UNTRUSTED: Final = "untrusted"
UNREACHABLE: Final = "codex_rotate_upstream_unreachable"
CONFIG: Final = "config.yaml"
"""What mitmproxy reads in the folder of the authority."""
_WORD: Final = r"(?!behind the)[\w'-]+"
_REFUSED: Final = re.compile(rf"certificate verify failed: ({_WORD}(?: {_WORD}){{0,11}})", re.IGNORECASE)
EVENTS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReply:
    """How a request ended. `status` is 0 where none came, and `code` then says why; else it is the code in a refusal.
    `date` is the server's clock, in epoch seconds, and `at` ours at that moment. `trail` is what the pool wrote down of
    a request that took more than one account, each attempt as `label outcome`. `tls` is why the proxy does not trust
    what it met upstream, "" when that was not the trouble."""

    status: int
    code: str = ""
    tls: str = ""
    seconds: float = 0.0
    date: float | None = None
    at: float = 0.0
    trail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """`skipped` says why nothing was tried, `broken` whether that is because no proxy could be had. `started`: the
    proxy was started for this. `shown` is whose certificate was met where the provider's should be, and `settings` the
    file in which the proxy is told what it trusts."""

    skipped: str = ""
    broken: bool = False
    where: str = ""
    started: bool = False
    catalogue: ProbeReply | None = None
    socket: ProbeReply | None = None
    shown: doctor_tls.ShownCertificate | None = None
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """A proxy to try, kept alive meanwhile."""

    presence: ProxyInfo
    key: str
    started: bool


# --- the proxy -------------------------------------------------------------------------------------------------------


@contextmanager
def reached(environ: Mapping[str, str]) -> Iterator[Reached]:
    """The one that was joined, else one that runs, else one that is started as `run` does and that ends by itself.
    Raises RotateError or OSError."""
    invitation = joined.current(environ)
    if invitation is not None:
        told = joined.presence(invitation, environ)
        with proxies.Hold(told, lambda: ask_joined(invitation)):
            yield Reached(told, invitation.key, started=False)
        return
    with ExitStack() as stack:
        with proxies.alone(proxy_files.folder(environ)):
            running = sorted(proxies.running(environ), key=lambda each: each.everything)
            started = not running
            told = running[0] if running else _started(environ)
            key = proxies.local_key(environ)
            stack.enter_context(proxies.Hold(told))
        yield Reached(told, key, started)


def _started(environ: Mapping[str, str]) -> ProxyInfo:
    return own_proxy.start_proxy(Bound(file=paths.codex_dotenv_file(environ)), environ).presence


def failure(error: RotateError | OSError) -> str:
    """Why there is no proxy to try."""
    return str(error) if isinstance(error, RotateError) else f"The proxy went away ({error.strerror or error})."


# --- the requests ----------------------------------------------------------------------------------------------------


def probe(to: Reached, environ: Mapping[str, str], client_version: str) -> Probe:
    """Both requests, one after the other."""
    with Store(paths.pool_file(environ)) as store, client(to) as http:
        catalogue = _tried(store, lambda: _catalogue(http, client_version))
        socket = _tried(store, lambda: _socket(http, client_version))
    return Probe(
        where=to.presence.url,
        started=to.started,
        catalogue=catalogue,
        socket=socket,
        shown=doctor_tls.shown() if catalogue.tls or socket.tls else None,
        settings=str(Path(to.presence.certificate).parent / CONFIG),
    )


def client(to: Reached) -> "httpx.Client":
    """What trusts the CA of the proxy and nothing else."""
    import httpx

    from config.network.bounded import BoundedTransport

    trust = ssl.create_default_context(cafile=str(trusted_file(Path(to.presence.certificate).parent)))
    way = httpx.Proxy(to.presence.url, auth=(NOBODY, to.key) if to.key else None)
    transport = BoundedTransport(httpx.HTTPTransport(verify=trust, proxy=way))
    return httpx.Client(transport=transport, timeout=SECONDS, trust_env=False)


def _catalogue(http: "httpx.Client", version: str) -> "httpx.Response":
    return http.get(f"{BACKEND}/models", params={"client_version": version}, headers=_headers(version))


def _socket(http: "httpx.Client", version: str) -> "httpx.Response":
    """An upgrade alone. The connection is dropped behind the answer, as the official client does when it is done."""
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": base64.b64encode(secrets.token_bytes(16)).decode(),
        "openai-beta": "responses_websockets=2026-02-06",
    }
    with http.stream("GET", f"{BACKEND}/responses", headers=_headers(version) | upgrade) as answer:
        if answer.status_code >= 400:
            answer.read()
        return answer


def _headers(version: str) -> dict[str, str]:
    return {"authorization": BEARER, "originator": "codex_exec", "version": version}


def _tried(store: Store, ask: Callable[[], "httpx.Response"]) -> ProbeReply:
    began = clock.now()
    reply = timed(ask)
    return replace(reply, trail=_trail(store, began, looks=LOOKS if reply.status >= 400 else 1))


def timed(ask: Callable[[], "httpx.Response"]) -> ProbeReply:
    """How a request ended, without a word of what the answer says."""
    import httpx

    began = clock.monotonic()
    try:
        answer = ask()
    except httpx.HTTPError as e:
        return ProbeReply(status=_refusal(e), code=_kind(e), seconds=clock.monotonic() - began)
    return ProbeReply(
        status=answer.status_code,
        code=_code(answer) if answer.status_code >= 400 else "",
        tls=_tls(answer) if answer.status_code >= 400 else "",
        seconds=clock.monotonic() - began,
        date=_date(answer.headers.get("date", "")),
        at=clock.now(),
    )


def _kind(error: Exception) -> str:
    """A word for what went wrong on the way; the text may hold an address with a password."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return UNTRUSTED
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__


def _refusal(error: Exception) -> int:
    """The status with which CONNECT was refused, 0 for anything else."""
    import httpx

    said = str(error)[:3]
    return int(said) if isinstance(error, httpx.ProxyError) and said.isascii() and said.isdigit() else 0


def _code(answer: "httpx.Response") -> str:
    """The code in a refusal, if it is a word."""
    try:
        error = answer.json()["error"]
        code = error.get("code") or error.get("type")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return code if isinstance(code, str) and code.replace("_", "").isalnum() and code.isascii() else ""


def _tls(answer: "httpx.Response") -> str:
    """Why a certificate upstream was refused, in the words of OpenSSL; of our own answer, and nothing else of it."""
    if _code(answer) != UNREACHABLE:
        return ""
    found = _REFUSED.search(str(answer.json()["error"].get("message", "")))
    return found[1].strip() if found else ""


def _date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


# --- who served ------------------------------------------------------------------------------------------------------


def _trail(store: Store, began: float, looks: int) -> tuple[str, ...]:
    """Written behind the answer, so that it may take a moment. What goes well at once is not written down at all."""
    for left in reversed(range(looks)):
        ours = [e for e in store.events(EVENTS) if e.kind == DECISION and e.at >= began and not e.thread]
        if ours or not left:
            break
        clock.pause(LOOK_SECONDS)
    attempts = (attempt for event in reversed(ours) for attempt in read_record(event).attempts)
    return tuple(dict.fromkeys(f"{each.account} {each.kind.replace('_', ' ')}" for each in attempts))
