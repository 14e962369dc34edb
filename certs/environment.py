"""What a client of the proxy needs in its environment, and the bundle of certificates for tools that need all of them.

The official client adds `CODEX_CA_CERTIFICATE`, else `SSL_CERT_FILE`, to the roots of the system (docs/codex-wire.md
section 6). Other tools take `SSL_CERT_FILE` *instead* of the system's roots, so it only ever names a full bundle.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from certs.errors import CaError
from config import paths
from config.files import write_private

DEFAULT_PROXY: Final = "http://127.0.0.1:8118"
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
"""What never goes through the proxy: servers of the user's own, such as MCP servers."""
INTERCEPTED: Final = "chatgpt.com"

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----")
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.\d+")
_KNOWN_FILES: Final = tuple(
    Path(name)
    for name in (
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    )
)
"""Where Debian, Fedora, openSUSE and macOS keep the roots, for a Python that was built to look elsewhere."""


class BadProxyAddress(CaError):
    exit_code = 2

    def __init__(self, trouble: str) -> None:
        super().__init__(
            f"That proxy address {trouble}. Give it as http://HOST:PORT, such as {DEFAULT_PROXY}: with anything else "
            "the client's WebSocket connections fail."
        )


class NoCaCertificate(CaError):
    def __init__(self, file: Path, trouble: str) -> None:
        super().__init__(
            f"{file} {trouble}, and without it no client trusts the proxy. Run `codex-rotate ca status` to see what "
            "is wrong, or `codex-rotate ca create` to make a certificate authority."
        )


class NoRoots(CaError):
    def __init__(self) -> None:
        super().__init__(
            "No root certificates of this system were found, so there is nothing to make a full bundle from. Install "
            "them (the package ca-certificates on most systems), or set SSL_CERT_FILE to the file that has them."
        )


class BundleUnwritable(CaError):
    def __init__(self, file: Path, trouble: str) -> None:
        super().__init__(
            f"{file} cannot be written ({trouble}). Check who may write to its folder and that the disk has room, "
            "or set CODEX_ROTATE_HOME to another folder."
        )


# --- variables -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where the proxy listens; `url` is what the variable gets."""

    host: str
    port: int
    url: str


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
    return tuple(name for name in names if name and _covers(name.lower(), INTERCEPTED))


def _covers(entry: str, host: str) -> bool:
    bare = entry.removeprefix("*").removeprefix(".").partition(":")[0]
    return entry == "*" or (bool(bare) and (host == bare or host.endswith(f".{bare}")))


# --- certificates ----------------------------------------------------------------------------------------------------


def read_certificate(file: Path) -> bytes:
    """The CA's certificate alone, even if the file holds more. Raises NoCaCertificate."""
    try:
        found = certificates(file.read_bytes())
    except FileNotFoundError:
        raise NoCaCertificate(file, "is not there") from None
    except OSError as e:
        raise NoCaCertificate(file, f"cannot be read ({e.strerror or e})") from e
    if not found:
        raise NoCaCertificate(file, "holds no certificate")
    return found[0]


def bundle(ca_certificate: bytes, roots: bytes) -> bytes:
    """All certificates of both as one PEM, each once, ours last; private keys and remarks are left out.

    Raises NoRoots.
    """
    ours, others = certificates(ca_certificate), certificates(roots)
    kept = [each for each in others if each not in ours]
    if not kept:
        raise NoRoots
    return b"".join(each + b"\n" for each in (*kept, *ours))


def certificates(pem: bytes) -> list[bytes]:
    """The certificates in a PEM file, each once and spelled in the same way."""
    found = (b"\n".join(line.strip() for line in each.split(b"\n")) for each in _CERTIFICATE.findall(pem))
    return list(dict.fromkeys(found))


def find_roots(ours: Path, environ: Mapping[str, str] = os.environ) -> bytes:
    """The root certificates that programs of this system trust, as PEM. Raises NoRoots.

    `ours` is our own bundle: when SSL_CERT_FILE names it already, what is in it is not the system's.
    """
    import ssl

    known = ssl.get_default_verify_paths()
    users = environ.get("SSL_CERT_FILE", "")
    extra = _read(Path(users)) if users and not _same(users, ours) else b""
    for source in (_files(Path(known.openssl_cafile), *_KNOWN_FILES), _folder(Path(known.openssl_capath)), _others()):
        for content in source:
            if certificates(content):
                return extra + b"\n" + content
    if certificates(extra):
        return extra
    raise NoRoots


def write_bundle(file: Path, content: bytes) -> bool:
    """Put the bundle there, as a whole or not at all. Whether that changed anything. Raises BundleUnwritable."""
    try:
        if file.is_file() and file.read_bytes() == content:
            return False
        paths.make_private_folder(file.parent)
        write_private(file, content)
    except OSError as e:
        raise BundleUnwritable(file, e.strerror or str(e)) from e
    return True


def _files(*candidates: Path) -> Iterator[bytes]:
    yield from (_read(file) for file in candidates)


def _folder(folder: Path) -> Iterator[bytes]:
    """A folder with a file per certificate, under the names that OpenSSL looks for."""
    with suppress(OSError):
        yield b"\n".join(_read(file) for file in sorted(folder.iterdir()) if _HASHED.fullmatch(file.name))


def _others() -> Iterator[bytes]:
    """The certificate stores of Windows and, last, the roots that came with our own HTTP client."""
    import ssl

    loaded = ssl.create_default_context().get_ca_certs(binary_form=True)
    yield b"\n".join(ssl.DER_cert_to_PEM_cert(each).encode() for each in loaded)
    with suppress(ImportError):
        import certifi

        yield _read(Path(certifi.where()))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # a place that is not there on this system
        return b""


def _same(name: str, ours: Path) -> bool:
    return os.path.realpath(name) == os.path.realpath(ours)
