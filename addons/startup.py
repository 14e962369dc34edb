"""Options, and what has to hold before the first request: a pool, and a mitmproxy that is set up for it."""

import logging
from typing import Final

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader

from accounts.errors import NoAccounts, RotateError
from addons import redact, selftest
from addons.exchange import Pooled
from addons.routes import INTERCEPT, Route
from addons.service import PoolService
from config import clock, paths, settings

logger = logging.getLogger(__name__)

FORCED: Final = {
    "connection_strategy": "lazy",
    "upstream_cert": False,
    "proxy_debug": False,
}
"""What mitmproxy must be set to. Eager connections and copied certificates break a name-constrained CA and open
connections that no account owns; proxy_debug prints what goes over the wire, managed tokens included."""


class Startup:
    """Owns the options and the pool of this proxy."""

    def __init__(self) -> None:
        self.service: PoolService | None = None

    def load(self, loader: Loader) -> None:
        loader.add_option(
            "rotate_transport",
            str,
            "auto",
            "How the client may talk to the Responses API: auto leaves it the choice, sse answers its WebSocket "
            "upgrades with 426 so that it uses server-sent events over HTTP.",
            choices=("auto", "sse"),
        )
        loader.add_option(
            "rotate_redact",
            bool,
            True,
            "Keep the client's own authorization and cookies out of what is shown and saved. The tokens of managed "
            "accounts are never in a flow, whatever this says.",
        )
        loader.add_option(
            "rotate_head_timeout",
            int,
            45,
            "Seconds an account gets to begin its answer before another one is asked.",
        )

    def running(self) -> None:
        self._force_options()
        try:
            selftest.check(ctx.options)
            self.service = PoolService(paths.pool_file(), clock.now, settings=settings.load())
            if not len(self.service.pool):
                raise NoAccounts
        except (RotateError, settings.ConfigError, OSError) as e:
            # An error logged before the proxy runs makes mitmproxy exit with this line.
            logger.error("codex-rotate: %s", e)  # noqa: TRY400 - an expected failure has no traceback
            return
        logger.info("codex-rotate: %d accounts from %s", len(self.service.pool), paths.pool_file())

    def pooled(self, route: Route, flow: http.HTTPFlow, shown: redact.Shown) -> Pooled:
        """The exchange of a request that the pool serves. Raises when there is no pool: the request is refused."""
        if self.service is None:
            raise RuntimeError("the pool is not open")
        exchange = Pooled(self.service, route, flow, shown)
        exchange.head_seconds = ctx.options.rotate_head_timeout
        return exchange

    def done(self) -> None:
        if self.service is not None:
            self.service.close()
            self.service = None

    def _force_options(self) -> None:
        wrong = {
            name: value for name, value in FORCED.items() if name in ctx.options and getattr(ctx.options, name) != value
        }
        if not ctx.options.allow_hosts and not ctx.options.ignore_hosts:
            wrong["allow_hosts"] = [INTERCEPT]
        if wrong:
            ctx.options.update(**wrong)
            said = ", ".join(f"{name}={value}" for name, value in sorted(wrong.items()))
            logger.info("codex-rotate: set what it needs: %s", said)
        if ctx.options.ssl_insecure:
            logger.warning("codex-rotate: ssl_insecure is on: managed tokens go to servers nobody has verified.")
