"""Idle TLS connections give their buffers back."""

from typing import Final

from mitmproxy.tls import TlsData
from OpenSSL import SSL


class Buffers:
    """Asks OpenSSL to keep no empty buffers: tens of kilobytes for each connection that waits. Python's own `ssl` does
    the same.

    A context that is in use cannot be changed any more, and pyOpenSSL has no such call for a connection; what
    mitmproxy uses itself for those has.
    """

    SET_MODE: Final = getattr(getattr(SSL, "_lib", None), "SSL_set_mode", None)
    """None where there is no such call: then they keep them."""

    def tls_established_client(self, data: TlsData) -> None:
        self._release(data)

    def tls_established_server(self, data: TlsData) -> None:
        self._release(data)

    def _release(self, data: TlsData) -> None:
        if data.ssl_conn is not None and self.SET_MODE is not None:
            self.SET_MODE(data.ssl_conn._ssl, SSL.MODE_RELEASE_BUFFERS)  # noqa: SLF001
