"""What a client of the proxy, and other tools of the same shell, need in their environment.

The official client adds `CODEX_CA_CERTIFICATE`, else `SSL_CERT_FILE`, to the roots of the system (docs/codex-wire.md
section 6). Other tools take `SSL_CERT_FILE` *instead* of the system's roots, so it only ever names a full bundle.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from certs.bundles import bundle, certificates, find_roots, write_bundle
from certs.errors import CaError
from certs.folder import CERTIFICATE_FILE, TOOLS_FILE, TRUSTED_FILE
from config import access
from config.provider import PROVIDER

DEFAULT_PROXY: Final = "http://127.0.0.1:8118"
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
"""What never goes through the proxy: servers of the user's own, such as MCP servers."""

TOOL_VARIABLES: Final = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "DENO_CERT",
)
"""Where tools that do not look at the system's roots, or not at them alone, look for a file with all certificates."""


class BadProxyAddress(CaError):
    exit_code = 2

    def __init__(self, trouble: str) -> None:
        super().__init__(
            f"That proxy address {trouble}. Give it as http://HOST:PORT, such as {DEFAULT_PROXY}: with anything else "
            "the client's WebSocket connections fail."
        )


class NoCaCertificate(CaError):
    """`remedy` is a sentence, where it is known what refuses."""

    def __init__(self, file: Path, trouble: str, remedy: str = "") -> None:
        super().__init__(
            f"{file} {trouble}, and without it no client trusts the proxy. "
            + (
                remedy
                or "For a proxy of your own run `codex-rotate ca status` to see what is wrong, or `codex-rotate ca "
                "create` to make a certificate authority. For that of somebody else ask them for a key file and run "
                "`codex-rotate join FILE`: no other authority would do."
            )
        )


# --- variables -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where the proxy listens; `url` is what the variable gets. It may hold a client key, `shown` does not."""

    host: str
    port: int
    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        return f"http://{self.url.rpartition('@')[2].removeprefix('http://')}"

    @property
    def has_key(self) -> bool:
        return "@" in self.url


def proxy_at(url: str) -> Proxy:
    """An address as every part of the client accepts it. Raises BadProxyAddress."""
    if not url.isprintable() or re.search(r"\s", url):
        raise BadProxyAddress("has spaces or control characters in it")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadProxyAddress("cannot be read: its port or its host is no such thing") from None
    if parts.scheme != "http":
        scheme = parts.scheme if "://" in url else ""
        raise BadProxyAddress(f"begins with {scheme}://" if scheme else "does not begin with http://")
    if not host or not port:
        raise BadProxyAddress("has no host" if not host else "has no port")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise BadProxyAddress("has something after the port")
    return Proxy(host, port, f"http://{parts.netloc}")


def client_environment(proxy_url: str, ca_certificate: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables for a client; `environ` is the user's. Raises BadProxyAddress."""
    return {
        "HTTPS_PROXY": proxy_at(proxy_url).url,
        "NO_PROXY": merged_no_proxy(no_proxy_of(environ)),
        "CODEX_CA_CERTIFICATE": str(ca_certificate),
    }


def full_environment(
    proxy_url: str, folder: Path, environ: Mapping[str, str] = os.environ, *, all_tools: bool = False
) -> dict[str, str]:
    """The variables for a client of the authority in `folder`; with `all_tools` for every other tool as well.

    Their bundle is written for that. Raises BadProxyAddress, NoCaCertificate, NoRoots or BundleUnwritable.
    """
    file = trusted_file(folder)
    ours = read_trusted(file)  # a client with a wrong path only says, after 22 s, that something failed
    variables = client_environment(proxy_url, file, environ)
    if all_tools:
        together = folder / TOOLS_FILE
        write_bundle(together, bundle(ours, find_roots(environ, TOOL_VARIABLES)))
        variables |= dict.fromkeys(TOOL_VARIABLES, str(together))
    return variables


def durable_environment(proxy_url: str, bundle_file: Path, no_proxy: str) -> dict[str, str]:
    """The same for the client's own `.env`, where it ignores all that begins with CODEX_. Raises BadProxyAddress."""
    return {
        "HTTPS_PROXY": proxy_at(proxy_url).url,
        "SSL_CERT_FILE": str(bundle_file),
        "NO_PROXY": merged_no_proxy(no_proxy),
    }


def no_proxy_of(environ: Mapping[str, str]) -> str:
    """What the user has in NO_PROXY, under whichever spelling."""
    return environ.get("NO_PROXY") or environ.get("no_proxy") or ""


def merged_no_proxy(users: str) -> str:
    """This machine first, then what the user has, each once."""
    names = (*LOCAL, *(name.strip() for name in users.split(",")))
    spelled: dict[str, str] = {}
    for name in filter(None, names):
        spelled.setdefault(name.lower(), name)
    return ",".join(spelled.values())


def bypasses(no_proxy: str) -> tuple[str, ...]:
    """The entries of NO_PROXY that would lead the client past the proxy."""
    names = (name.strip() for name in no_proxy.split(","))
    return tuple(name for name in names if name and _covers(name.lower(), PROVIDER.host))


def _covers(entry: str, host: str) -> bool:
    bare = entry.removeprefix("*").removeprefix(".").partition(":")[0]
    return entry == "*" or (bool(bare) and (host == bare or host.endswith(f".{bare}")))


# --- certificates ----------------------------------------------------------------------------------------------------


def trusted_file(folder: Path) -> Path:
    """What a client of the authority in this folder is to trust.

    The certificate alone where nothing else was written: by mitmproxy itself, or for the debug CA.
    """
    file = folder / TRUSTED_FILE
    return file if access.seen(file) else folder / CERTIFICATE_FILE


def read_trusted(file: Path) -> bytes:
    """The certificates in it as PEM, even if the file holds more. Raises NoCaCertificate."""
    try:
        found = certificates(file.read_bytes())
    except FileNotFoundError:
        raise NoCaCertificate(file, "is not there") from None
    except OSError as e:
        refused = access.refusal(file, e.errno)
        why, remedy = (refused.of(file), refused.remedy) if refused else (e.strerror or str(e), "")
        raise NoCaCertificate(file, f"cannot be read ({why})", remedy) from e
    if not found:
        raise NoCaCertificate(file, "holds no certificate")
    return b"\n".join(found)
