"""Lets commands find this proxy and ask what it is, and ends it when it was started for clients that are gone."""

import asyncio
import logging
import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from mitmproxy import connection, ctx, http
from mitmproxy.addonmanager import Loader

from accounts.views import live_turns
from accounts.views.live_turns import LiveTurn
from addons.clients import Clients
from addons.private_questions import PrivateQuestions
from addons.startup import Startup
from addons.wire import answers
from addons.wire.routes import INTERCEPT
from config import paths, private_socket, proxy_files, version

logger = logging.getLogger(__name__)

CERTIFICATE: Final = "mitmproxy-ca-cert.pem"


def is_question(flow: http.HTTPFlow) -> bool:
    """Whether the proxy itself is asked, in the clear, or inside of a connection to the provider that it has opened."""
    inside = flow.client_conn.tls_established and re.match(INTERCEPT, f"{flow.request.host}:{flow.request.port}")
    return (flow.request.host_header if inside else flow.request.host) == proxy_files.HOST


class Discovery:
    """One per proxy. `live` tells the turns that are under way, `page` where its page is, "" without one."""

    def __init__(
        self,
        startup: Startup,
        clients: Clients,
        live: Callable[[], Iterable[LiveTurn]] = tuple,
        page: Callable[[], str] = str,
    ) -> None:
        self.startup = startup
        self._page = page
        self.questions = PrivateQuestions(
            lambda key: self._private_answer() if clients.takes(key) else "",
            {private_socket.LIVE: lambda: live_turns.as_json(live())},
        )
        self.clients: set[str] = set()
        self.told: proxy_files.ProxyInfo | None = None
        self._file: Path | None = None
        self._end: asyncio.TimerHandle | None = None

    def load(self, loader: Loader) -> None:
        loader.add_option(
            "rotate_stop_when_unused",
            int,
            0,
            "Seconds without any client after which this proxy ends; 0: never. `codex-rotate run` sets it.",
        )

    def running(self) -> None:
        if self.startup.service is None:
            return
        self.told = self._about()
        if self.told is not None:
            self.told = replace(self.told, socket=self.questions.open(proxy_files.folder()))
            try:
                self._file = proxy_files.announce(self.told, proxy_files.folder())
            except OSError as e:
                logger.warning("codex-rotate: other commands will not find this proxy: %s", e)
        self._watch()

    @answers.fail_closed
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if not is_question(flow):
            return
        if flow.response is None and self.told is None:
            flow.response = answers.failed_closed()
        elif flow.response is None and self.told is not None:
            told = proxy_files.as_json(self.told)
            flow.response = http.Response.make(200, told, {"content-type": "application/json"})
        self._prove(flow)

    def _prove(self, flow: http.HTTPFlow) -> None:
        """Also to who is refused: a command wants to know who we are before it tells its key. Inside of TLS our CA has
        proven it, and what is left to tell is where we were reached."""
        challenge, at = flow.request.headers.get(proxy_files.CHALLENGE, ""), flow.client_conn.sockname
        if at and flow.response is not None and flow.client_conn.tls_established:
            flow.response.headers[proxy_files.REACHED_AT] = f"{at[0].removeprefix('::ffff:')} {at[1]}"
            return
        if challenge and at and flow.response is not None and self._file is not None:
            key = proxy_files.proof_key(self._file.parent)
            flow.response.headers[proxy_files.PROOF] = proxy_files.proof(key, challenge, at[0], at[1])

    def client_connected(self, client: connection.Client) -> None:
        self.clients.add(client.id)
        self._watch()

    def client_disconnected(self, client: connection.Client) -> None:
        self.clients.discard(client.id)
        self._watch()

    def leaves(self, turns: int) -> None:
        """Tell that this proxy ends, and how many turns it waits for. Who looks for a proxy passes it over."""
        self.questions.close()
        if self._file is not None and self.told is not None:
            self.told = replace(self.told, turns=turns, socket="")
            with suppress(OSError):
                proxy_files.announce(self.told, self._file.parent)

    def _private_answer(self) -> str:
        """Nothing unless it listens where it was said to, and nobody else can on this machine: whoever is told to lead
        clients there gives them the key."""
        everywhere = any(each[0] in {"0.0.0.0", "::"} for each in ctx.master.addons.get("proxyserver").listen_addrs())  # noqa: S104
        now = self._about()
        if now is None or self.told is None or now.url != self.told.url or everywhere:
            return ""
        return proxy_files.as_json(self.told)

    def done(self) -> None:
        self.questions.close()
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink()

    def _about(self) -> proxy_files.ProxyInfo | None:
        """None without an address to be found at, as in modes that have none."""
        addresses = ctx.master.addons.get("proxyserver").listen_addrs()
        if not addresses:
            return None
        host, port = addresses[0][:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound, but read
        return proxy_files.ProxyInfo(
            url=f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}",
            pid=os.getpid(),
            home=str(paths.home()),
            certificate=str(Path(ctx.options.confdir).expanduser() / CERTIFICATE),
            version=version.current(),
            everything=list(ctx.options.allow_hosts) != [INTERCEPT],
            insecure=ctx.options.ssl_insecure,
            stays=ctx.options.rotate_stop_when_unused == 0,
            page=self._page(),
        )

    def _watch(self) -> None:
        """Start the clock when the last client has left, stop it when one comes."""
        if self._end is not None:
            self._end.cancel()
            self._end = None
        seconds = ctx.options.rotate_stop_when_unused
        if seconds > 0 and not self.clients and self.startup.service is not None:
            self._end = asyncio.get_running_loop().call_later(seconds, self._stop)

    def _stop(self) -> None:
        logger.info("codex-rotate: no client is left, so this proxy ends")
        ctx.master.shutdown()
