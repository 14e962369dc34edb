"""The proxy between this machine and the internet: everything goes through it when the settings, or else the
environment, name one. It is the way that our own calls take (`config/network/outbound.py`).

mitmproxy's upstream mode does the work. Its credentials are no option of mitmproxy's, which mitmweb shows, and in no
flow: they go out with the CONNECT, and with a plain http request as it is sent.
"""

import logging
from collections.abc import Sequence
from typing import Any

from mitmproxy import ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.connection import Client
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.mode_specs import ProxyMode, RegularMode, UpstreamMode

from accounts.origin import HOME_HOST
from addons.attempts import connections, selftest
from config import settings
from config.errors import RotateError
from config.network import outbound
from config.network.proxy_address import ProxyAddress

logger = logging.getLogger(__name__)


class ModeConflict(RotateError):
    """mitmproxy was told to go another way."""

    def __init__(self, mode: str, proxy: ProxyAddress) -> None:
        super().__init__(
            f"mitmproxy's mode {mode} does not lead through upstream_proxy ({proxy.place}). Start it without --mode, "
            "or remove upstream_proxy from the settings."
        )


class ThisVeryProxy(RotateError):
    def __init__(self, proxy: ProxyAddress) -> None:
        super().__init__(
            f"upstream_proxy names {proxy.place}, where this proxy itself listens. Set it to the proxy that leads to "
            "the internet, or remove it."
        )


class UpstreamProxy:
    """Leads connections through the other proxy; without one it does nothing."""

    def __init__(self) -> None:
        self.way = outbound.OutboundRoute()
        self.mode: UpstreamMode | None = None
        self._runs = False

    @property
    def proxy(self) -> ProxyAddress | None:
        return self.way.proxy

    def load(self, _: Loader) -> None:
        """Now, and not when the proxy runs: by then it may have clients, and none shall go another way."""
        try:
            self.way = outbound.way_to(f"https://{HOME_HOST}")
            if self.proxy is not None and self.way.named_by != outbound.SETTING:
                check(self.proxy, ctx.options.mode, ())
        except settings.ConfigError:
            return  # the proxy will not start, for a reason that is told where the pool is opened
        except ModeConflict:
            self.way = outbound.OutboundRoute()  # what mitmproxy was told goes before the environment
        self.mode = UpstreamMode.parse(f"upstream:{self.proxy}") if self.proxy is not None else None

    def running(self) -> None:
        if self.proxy is None:
            return
        self._runs = True
        try:
            selftest.check_tunnel(ctx.options)
            check(self.proxy, ctx.options.mode, ctx.master.addons.get("proxyserver").listen_addrs())
        except RotateError as e:
            # An error logged before the proxy runs makes mitmproxy exit with this line.
            logger.error("codex-rotate: %s", e)  # noqa: TRY400 - an expected failure has no traceback
            return
        logger.info("codex-rotate: everything goes through the proxy %s (%s)", self.proxy.place, self.way.named_by)

    def configure(self, updated: set[str]) -> None:
        if self._runs and self.proxy is not None and "mode" in updated:
            try:
                check(self.proxy, ctx.options.mode, ())
            except ModeConflict as e:
                raise exceptions.OptionsError(f"codex-rotate: {e}") from e

    def next_layer(self, nextlayer: NextLayer) -> None:
        if self.proxy is not None and self.mode is not None:
            client = nextlayer.context.client
            connections.lead_through(nextlayer.layer, client, self.mode, self.way)

    def lead_replay(self, replayed: Any, client: Client) -> None:
        """No hook asks about the layer of a request that mitmproxy plays again."""
        if self.proxy is not None and self.mode is not None:
            connections.lead_replay(replayed, client, self.mode, self.way)

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        if self.proxy is None or not self.proxy.authorization:
            return
        if flow.server_conn.address == (self.proxy.host, self.proxy.port):
            flow.request.headers["proxy-authorization"] = self.proxy.authorization


def check(proxy: ProxyAddress, modes: Sequence[str], listening: Sequence[tuple[object, ...]]) -> None:
    """Raises ModeConflict for a mode that does not lead through this proxy, ThisVeryProxy if it is our own address."""
    there = (proxy.scheme, (proxy.host, proxy.port))
    for each in modes:
        mode = ProxyMode.parse(each)
        same = isinstance(mode, UpstreamMode) and (mode.scheme, mode.address) == there
        if not same and not isinstance(mode, RegularMode):
            raise ModeConflict(mode.type_name, proxy)
    names = {"localhost", "127.0.0.1", "::1"}
    for host, port, *_ in listening:
        if port == proxy.port and (proxy.host == host or proxy.host in names):
            raise ThisVeryProxy(proxy)
