"""Where the page of a proxy is: an address, as its owner types it. Pure."""

import ipaddress
from dataclasses import dataclass
from typing import Final

from config.network.hosts import is_loopback

HOST: Final = "127.0.0.1"
PORT: Final = 8119
USUAL: Final = f"{HOST}:{PORT}"
AUTO: Final = "auto"
"""The usual address, or the next port that is free."""
OFF: Final = "off"
MOST_TRIED: Final = 100
"""So many ports from the usual one on are tried."""
_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAddress:
    """Where the page listens. `named`: by its owner, so that no other port will do."""

    host: str
    port: int
    named: bool = True

    @property
    def is_private(self) -> bool:
        """Whether nobody but this machine can reach it."""
        return is_loopback(self.host)

    @property
    def is_everywhere(self) -> bool:
        """Whether it is every address of this machine."""
        try:
            return ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            return False

    @property
    def url(self) -> str:
        """As it is opened on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - not bound, but opened
        return f"http://{in_url(host)}:{self.port}"

    def is_own(self, said: str) -> bool:
        """Whether a `Host` header can mean this page. A name that somebody else has led here never does: a page of
        theirs would be of the same origin as ours (DNS rebinding)."""
        host, _, port = said.rpartition(":")
        if port != str(self.port):
            return False
        if self.is_private:
            return host in {*_LOOPBACK_NAMES, in_url(self.host)}
        return host in {*_LOOPBACK_NAMES, in_url(self.host)} or (self.is_everywhere and _is_number(host))


def in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def read_address(text: str) -> PageAddress | None:
    """None for no page. Raises ValueError, with the rest of a sentence, for what is no address."""
    wanted = text.strip()
    if wanted.casefold() in {"", OFF}:
        return None
    if wanted.casefold() == AUTO:
        return PageAddress(host=HOST, port=PORT, named=False)
    host, _, number = wanted.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not number.isascii() or not number.isdigit() or not int(number) < 65536:
        alone = wanted.removeprefix(":")
        meant = f" Did you mean {HOST}:{alone}?" if alone.isascii() and alone.isdigit() else ""
        raise ValueError(f"needs an address and a port, such as {USUAL}, or {OFF}; {text!r} is neither.{meant}")
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError(f"needs a number as its address, such as {USUAL}; {host!r} is a name.") from None
    return PageAddress(host=host, port=int(number))


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
