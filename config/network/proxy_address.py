"""The address of a proxy between this machine and the internet, as people write it. Its password is never shown."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote, urlsplit

EXAMPLE: Final = "http://user:password@proxy.example:3128"
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyAddress:
    """Where a proxy is and who we are to it. Neither name nor password is in its `repr` or `str`."""

    scheme: str
    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """host:port"""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authorization(self) -> str:
        """The value of a `proxy-authorization` header, "" without a user."""
        if not self.username and not self.password:
            return ""
        return basic(self.username, self.password)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}"


def basic(user: str, password: str) -> str:
    """The value of a header that tells a proxy who asks."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def read_proxy(value: str, default_ports: Mapping[str, int] = MappingProxyType({})) -> ProxyAddress:
    """Read `http://host:port` or `https://host:port`, with or without `user:password@`, both percent-encoded.

    The port may be missing where its scheme has a default one. Raises ValueError with a reason that repeats nothing of
    the value: any part of a mistyped one may be the password.
    """
    value = value.strip()
    try:
        url = urlsplit(value)
        host, port = url.hostname or "", url.port if url.port is not None else default_ports.get(url.scheme)
    except ValueError:
        raise ValueError(_shape()) from None
    if url.scheme not in {"http", "https"} or not port or url.path not in {"", "/"} or "?" in value or "#" in value:
        raise ValueError(_shape())
    if not _HOST.fullmatch(host):
        raise ValueError("must name a host, such as proxy.example or 10.0.0.1")
    username, password = unquote(url.username or ""), unquote(url.password or "")
    if ":" in username or _CONTROL.search(username + password):
        raise ValueError("must have no colon in its user name, and no control character in user name or password")
    return ProxyAddress(scheme=url.scheme, host=host, port=port, username=username, password=password)


def _shape() -> str:
    return f"must be an address such as {EXAMPLE}, with / ? # % @ : in a user name or password percent-encoded"
