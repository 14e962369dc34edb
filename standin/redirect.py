"""A mitmproxy script that leads every connection to the stand-in: `mitmdump -s rotate.py -s standin/redirect.py`.

The port is taken from the environment variable STANDIN_PORT. Names, SNI and certificates stay those of the real hosts,
so everything but the address is as it would be.
"""

import os
from typing import Final

from mitmproxy.proxy.server_hooks import ServerConnectionHookData

PORT: Final = "STANDIN_PORT"


class Redirect:
    def server_connect(self, data: ServerConnectionHookData) -> None:
        data.server.address = ("127.0.0.1", int(os.environ[PORT]))


addons = [Redirect()]
