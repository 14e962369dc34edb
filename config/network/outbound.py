"""Requests of our own (token refresh, usage, login, logout): through which proxy each one leaves.

The proxy that the settings name; without one, what the environment names, unless that is on this machine: it may be
codex-rotate itself, and the way to a new token must not lead through the proxy that waits for it. Addresses on this
machine are asked directly.
"""

import ssl
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from config.network.hosts import is_loopback
from config.network.proxy_address import ProxyAddress, read_proxy
from config.network.trust import missing, ssl_context

if TYPE_CHECKING:
    import httpx

_REFUSED_CERTIFICATE: Final = "certificate verify failed"
"""How mitmproxy begins to tell it."""
_TRUST: Final = "if your company opens TLS, set SSL_CERT_FILE to a file that has its CA"
_CLOCK: Final = "check this machine's clock"
SETTING: Final = "upstream_proxy"
_PORTS: Final = {"http": 80, "https": 443}
"""What a proxy of the environment without a port means, here as in other programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRoute:
    """How a request leaves: through `proxy`, which `named_by` names, or directly.

    `passed_over` is a proxy of the environment that is not used.
    """

    proxy: ProxyAddress | None = None
    named_by: str = ""
    passed_over: str = ""

    def client(self, timeout: "httpx.Timeout | float") -> "httpx.Client":
        """For one request: no connection is kept, no redirect followed, no answer larger than it may be. Raises
        ConfigError when what it would trust cannot be read."""
        import httpx  # late: most commands need none

        from config.network.bounded import BoundedTransport

        trust = ssl_context()  # for the proxy as well
        proxy = self._proxy(trust)
        limits = httpx.Limits(max_keepalive_connections=0)
        # With a transport of its own a client looks for no proxy in the environment.
        transport = BoundedTransport(httpx.HTTPTransport(verify=trust, limits=limits, proxy=proxy))
        return httpx.Client(transport=transport, timeout=timeout, follow_redirects=False)

    def async_transport(self) -> "httpx.AsyncHTTPTransport":
        """For one request of which nobody is to write down the address, as a client's log does. Its answer's body is
        not to be read. Raises ConfigError when what it would trust cannot be read."""
        import httpx

        trust = ssl_context()
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.AsyncHTTPTransport(verify=trust, limits=limits, proxy=self._proxy(trust), trust_env=False)

    def _proxy(self, trust: ssl.SSLContext) -> "httpx.Proxy | None":
        import httpx

        if self.proxy is None:
            return None
        user = (self.proxy.username, self.proxy.password) if self.proxy.authorization else None
        return httpx.Proxy(str(self.proxy), auth=user, ssl_context=trust if self.proxy.scheme == "https" else None)

    def failure(self, error: Exception) -> str:
        """What to say when no answer came: whose trouble it may be, and nothing of what was sent."""
        import httpx

        kind = type(error).__name__
        if reason := refused_certificate(error):
            behind = f" behind the proxy {self.proxy.place}" if self.proxy is not None else ""
            hint = _CLOCK if "valid" in reason or "expired" in reason else missing() or _TRUST
            return f"TLS failed{behind}: {reason}, {hint}"
        if self.proxy is not None:
            # the rest of a refusal's text is the proxy's own
            status = str(error)[:3] if isinstance(error, httpx.ProxyError) else ""
            return trouble(self.proxy.place, kind, status, named_by=self.named_by)
        if self.passed_over:
            return f"{kind} ({self.passed_over} is on this machine and not used; if it leads out, set {SETTING})"
        return kind


def refused_certificate(error: BaseException) -> str:
    """Why the certificate that was shown is not trusted, "" for every other error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen.verify_message.partition(",")[0] or "the certificate is not trusted"
        seen = seen.__cause__ or seen.__context__
    return ""


def trouble(place: str, what: str, status: str = "", *, named_by: str = SETTING) -> str:
    """What to say of a connection that did not come about through the proxy at `place`, which refused it with `status`
    or let something else happen."""
    if status == "407":
        return f"the proxy {place} wants another user name or password (407), correct {named_by}"
    if what.lower().startswith(_REFUSED_CERTIFICATE):
        return f"{what} behind the proxy {place}; if it opens TLS, trust its CA (ssl_verify_upstream_trusted_ca)"
    if status:
        return f"the proxy {place} refused the connection ({status}), check {named_by} or ask who runs it"
    return f"{what} on the way through the proxy {place}, check {named_by}"


def is_here(host: str) -> bool:
    """Whether this is on this machine: never asked for through another proxy, where it would be another machine."""
    return is_loopback(host.lower().rstrip("."))


def way_to(url: str) -> OutboundRoute:
    """How a request to this address leaves. Raises ConfigError for settings or a variable that cannot be used."""
    from config import settings  # late: msgspec

    try:
        target = urlsplit(url)
        host = target.hostname or ""
    except ValueError:
        return OutboundRoute()  # whoever sends to it will say what is wrong with it
    if not host or is_here(host):
        return OutboundRoute()
    chosen = settings.load().upstream_proxy
    if chosen is not None:
        return OutboundRoute(proxy=chosen, named_by=SETTING)
    return _from_environment(target.scheme, host)


def _from_environment(scheme: str, host: str) -> OutboundRoute:
    """As urllib finds it, and so as every other program does: variables, or what the system says."""
    from config.settings import ConfigError

    found = urllib.request.getproxies()
    name = next((each for each in (scheme, "all") if found.get(each)), "")
    if not name or urllib.request.proxy_bypass(host):
        return OutboundRoute()
    value = found[name] if "://" in found[name] else f"http://{found[name]}"
    variable = f"{name.upper()}_PROXY"
    try:
        if is_here(urlsplit(value).hostname or ""):
            return OutboundRoute(passed_over=variable)
        return OutboundRoute(proxy=read_proxy(value, _PORTS), named_by=variable)
    except ValueError:
        raise ConfigError(
            f"the environment: {variable} names a proxy that cannot be used; only http and https are spoken here. "
            f"Set {SETTING} in config.toml to another one, or except {host} with NO_PROXY."
        ) from None
