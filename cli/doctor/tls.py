"""`doctor`: who stands in the way of TLS to the provider: whose certificate is shown there, and what that means.

A company's proxy that opens TLS, a portal that wants a login first and a wrong clock all end in the same four words,
and only the certificate that was shown tells them apart. It is looked at in a handshake without a request.
"""

import ssl
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from socket import create_connection, socket
from typing import Final

from cli.running.joined_answer import connect_through
from config.errors import ConfigError
from config.network.outbound import OutboundRoute, way_to
from config.provider import PROVIDER

PORT: Final = 443
SECONDS: Final = 5.0
LONGEST: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCertificate:
    """A certificate that somebody has shown in the name of the provider. `issuer` is "" for one that does not say."""

    issuer: str
    begins: datetime | None = None
    ends: datetime | None = None


def shown(way: OutboundRoute | None = None, host: str = PROVIDER.host, port: int = PORT) -> ShownCertificate | None:
    """Shake hands with whoever answers there, the way that our requests go, and trust nothing of it; None where it does
    not come to that. Nothing is asked."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            closing(_reached(way or way_to(f"https://{host}/"), host, port)) as raw,
            context.wrap_socket(raw, server_hostname=host) as secured,
        ):
            return read(secured.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError, ConfigError):
        return None


def _reached(way: OutboundRoute, host: str, port: int) -> socket:
    """Raises OSError."""
    if way.proxy is None:
        return create_connection((host, port), timeout=SECONDS)
    if way.proxy.scheme == "https":
        raise OSError("a handshake inside another one is not made here")
    raw = create_connection((way.proxy.host, way.proxy.port), timeout=SECONDS)
    try:
        connect_through(raw, host, port, way.proxy.authorization)
    except BaseException:
        raw.close()
        raise
    return raw


def read(certificate: bytes) -> ShownCertificate | None:
    """Who issued it and how long it holds; None for what is no certificate."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        found = x509.load_der_x509_certificate(certificate)
        names = [
            str(each.value)
            for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
            for each in found.issuer.get_attributes_for_oid(oid)
        ]
    except ValueError:
        return None
    said = ", ".join(dict.fromkeys("".join(c for c in name if c.isprintable()) for name in names))
    issuer = said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
    begins = ends = None
    with suppress(ValueError):
        begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    return ShownCertificate(issuer=issuer, begins=begins, ends=ends)


def meaning(reason: str, found: ShownCertificate | None, settings: str) -> tuple[str, str]:
    """What it means that the certificate was refused for this reason, and what to do. `settings` is the file in which
    the proxy is told what it trusts."""
    whose = f", issued by {found.issuer}," if found is not None and found.issuer else ""
    what = f"TLS to the provider fails: the certificate that is shown{whose} is refused ({reason})"
    if "not yet valid" in reason:
        begins = f": it begins on {found.begins:%Y-%m-%d %H:%M} UTC" if found is not None and found.begins else ""
        return f"{what}{begins}", "Set this machine's clock, best by network time: it is probably behind."
    if "expired" in reason:
        ends = f": it ended on {found.ends:%Y-%m-%d %H:%M} UTC" if found is not None and found.ends else ""
        remedy = "Check this machine's clock, which may be ahead; if it is right, tell whoever runs the network."
        return f"{what}{ends}", remedy
    remedy = (
        "Something on the way opens TLS. If it is your company's, have its CA trusted: a line "
        f"`ssl_verify_upstream_trusted_ca: FILE` in {settings} for the proxy, and SSL_CERT_FILE=FILE for commands; "
        "else use another network."
    )
    return what, remedy
