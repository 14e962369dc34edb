"""A mitmproxy script that leads every upstream connection to the stand-in, whatever host it was meant for.

STANDIN_PORT is where its TLS listener is, STANDIN_PLAIN_PORT the one without TLS, for connections that were meant for
port 80. Nothing but the address is touched: names, SNI and certificates stay those of the real hosts.
"""

import os

from mitmproxy.proxy.server_hooks import ServerConnectionHookData


def server_connect(data: ServerConnectionHookData) -> None:
    meant_for = data.server.address
    assert meant_for is not None
    port = os.environ["STANDIN_PLAIN_PORT" if meant_for[1] == 80 else "STANDIN_PORT"]
    data.server.address = ("127.0.0.1", int(port))
