"""Who may use the proxy, and for which account a client asks: what it says with its CONNECT holds for the connection.

Who is not on this machine needs a client key. With keys in the pool everybody does, here too. Whatever fails lets
nobody in: a connection that was not admitted is refused again, request by request.
"""

import re
import weakref
from collections.abc import MutableMapping
from typing import Final

from mitmproxy import connection, http

from accounts.client_keys import Visitor, admitted, introduced, welcome
from addons import answers
from addons.routes import INTERCEPT
from addons.startup import Startup
from config.hosts import is_loopback

HEADER: Final = "proxy-authorization"


class Clients:
    """Admits connections."""

    def __init__(self, startup: Startup) -> None:
        self.startup = startup
        self._visitors: MutableMapping[connection.Client, Visitor] = weakref.WeakKeyDictionary()

    @answers.fail_closed
    def http_connect(self, flow: http.HTTPFlow) -> None:
        if self.startup.service is not None or not re.match(INTERCEPT, f"{flow.request.host}:{flow.request.port}"):
            self._admit(flow)
        # else each request is refused, with words that the client reads: those to a CONNECT are lost on it

    @answers.fail_closed
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.is_replay or flow.response:
            return
        if HEADER in flow.request.headers or not self._is_welcome(flow.client_conn):
            self._admit(flow)  # a plain http request, one that came without CONNECT, or whose key is gone since

    def account_for(self, client: connection.Client) -> str:
        """The key of the only account that may serve this client; "" for any. Raises for one that was not admitted."""
        wanted = self._visitors[client].account
        return self.startup.opened().pool.named(wanted) if wanted else ""

    def _is_welcome(self, client: connection.Client) -> bool:
        return welcome(self._visitors.get(client), self.startup.opened().client_keys, here=_is_here(client))

    def _admit(self, flow: http.HTTPFlow) -> None:
        said = introduced(flow.request.headers.pop(HEADER, ""))
        service = self.startup.opened()
        here = _is_here(flow.client_conn)
        visitor = admitted(said, service.client_keys, here=here)
        if visitor is None:
            service.sync()  # the key may be quite new
            visitor = admitted(said, service.client_keys, here=here)
        if visitor is None:
            self._visitors.pop(flow.client_conn, None)
            flow.response = answers.key_needed(given=bool(said.user or said.secret))
        else:
            self._visitors[flow.client_conn] = visitor


def _is_here(client: connection.Client) -> bool:
    return is_loopback(client.peername[0].removeprefix("::ffff:"))
