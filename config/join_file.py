"""The small file with which somebody else uses a proxy: its address, their key, and the certificate to trust.

`keys add NAME --host HOST` writes it and `join FILE` reads it. Whoever has it may use the proxy.
"""

import ipaddress
import re
import tomllib
from dataclasses import dataclass, field
from typing import Any, Final

PRODUCT: Final = "codex-rotate"
VERSION: Final = 1
MOST_BYTES: Final = 64 * 1024
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{20,200}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_CERTIFICATES: Final = re.compile(r"(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?)+")


class BadJoinFile(ValueError):
    """What is wrong with it, as the rest of a sentence about the file. Nothing of its content is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """`name` is the key's name at the proxy. `certificate` is PEM: one, or a renewed one and those before it."""

    host: str
    port: int
    name: str
    key: str = field(repr=False)
    certificate: str = field(repr=False)

    @property
    def place(self) -> str:
        """host:port"""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address, without the key."""
        return f"http://{self.place}"


def written(invitation: Invitation) -> str:
    """The file's text."""
    return (
        f"# For {invitation.name}: run `codex-rotate join` with this file, then `codex-rotate run codex`.\n"
        "# Whoever has this file may use the proxy: keep it to yourself, and delete it when you have joined.\n"
        f'product = "{PRODUCT}"\n'
        f"version = {VERSION}\n"
        f'address = "{invitation.place}"\n'
        f'name = "{invitation.name}"\n'
        f'key = "{invitation.key}"\n'
        f'certificate = """\n{invitation.certificate.strip()}\n"""\n'
    )


def read(content: bytes) -> Invitation:
    """What a file says. Raises BadJoinFile."""
    told = _document(content)
    if told.get("product") != PRODUCT:
        raise BadJoinFile("is no key file of codex-rotate")
    version = told.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BadJoinFile("has no version: it is damaged")
    if version > VERSION:
        raise BadJoinFile("was written by a newer codex-rotate: update this one")
    host, port = _address(_text(told, "address"))
    name, key, certificate = (_text(told, each) for each in ("name", "key", "certificate"))
    if "PRIVATE KEY" in certificate:
        raise BadJoinFile("has a private key in it, which belongs to nobody but its owner")
    for what, text, shape in (("name", name, _NAME), ("key", key, _KEY), ("certificate", certificate, _CERTIFICATES)):
        if not shape.fullmatch(text):
            raise BadJoinFile(f"has a {what} that is none: it is damaged")
    return Invitation(host=host, port=port, name=name, key=key, certificate=certificate)


def host_of(text: str) -> str:
    """A host name or an address as it is written into the file. Raises ValueError."""
    bare = text.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        if not _HOST.fullmatch(text):
            raise ValueError("is neither the name nor the address of a host") from None
        return text


def _document(content: bytes) -> dict[str, Any]:
    if len(content) > MOST_BYTES:
        raise BadJoinFile("is no key file of codex-rotate")
    try:
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except (ValueError, RecursionError):
        ours = f'product = "{PRODUCT}"'.encode() in content
        raise BadJoinFile("is damaged or cut short" if ours else "is no key file of codex-rotate") from None


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value:
        raise BadJoinFile(f"has no {name}: it is damaged")
    return value


def _address(text: str) -> tuple[str, int]:
    host, _, number = text.rpartition(":")
    try:
        host, port = host_of(host), int(number) if number.isascii() and number.isdigit() else 0
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise BadJoinFile("has an address that is none: it is damaged")
    return host, port
