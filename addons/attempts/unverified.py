"""Where nobody looks at upstream's certificate, an account's token goes to a server on this machine only.

mitmproxy's `ssl_insecure` is for an upstream of one's own. Whoever is between us and the provider could pose as it and
would be given the tokens of all accounts. So what counts is the connection as it was made: any addon may have led it
elsewhere.
"""

import logging

from mitmproxy.connection import Server
from mitmproxy.options import Options

from addons.attempts.protocol import Answer, Send
from addons.wire import answers
from config.network.hosts import is_loopback

logger = logging.getLogger(__name__)


def refusal(sent: Send, server: Server, options: Options) -> Answer | None:
    """What the client is answered if this must not be sent on this connection; None if it may be."""
    if not sent.key or sent.request.scheme != "https" or not options.ssl_insecure or is_here(server):
        return None
    if "rotate_allow_insecure" in options and options.rotate_allow_insecure:
        return None
    logger.error(
        "codex-rotate: a request was not sent: ssl_insecure is on, so nobody has verified the server, and it is not on "
        "this machine. Start the proxy without ssl_insecure."
    )
    return Answer(answers.unverified())


def is_here(server: Server) -> bool:
    """Whether it is this machine that is connected to, and not another proxy on it that leads further."""
    return server.via is None and server.peername is not None and is_loopback(server.peername[0])
