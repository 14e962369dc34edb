"""Options, and what has to hold before the first request: a pool, and a mitmproxy that is set up for it."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mitmproxy import ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.options import Options

from accounts.choice.selection import Ask
from accounts.errors import UsageError
from accounts.store.no_accounts import no_accounts
from addons import options
from addons.attempts import descriptors, selftest
from addons.attempts.patches import dialing, hook_check
from addons.attempts.patches.put_in_place import put_in_place
from addons.exchange.answering.pool_quota import HeldWindows, PoolQuota
from addons.exchange.catalogue import CatalogueRequest
from addons.exchange.patience import Limits
from addons.exchange.pooled import PooledRequest
from addons.exchange.service import PoolService
from addons.recording import private_output
from addons.redaction import flows
from addons.wire.routes import INTERCEPT
from config import clock, files, paths, settings
from config.errors import RotateError
from config.provider import PROVIDER

logger = logging.getLogger(__name__)

FORCED: Final = {
    "connection_strategy": "lazy",
    "upstream_cert": False,
    "proxy_debug": False,
    "stickyauth": None,
    "stickycookie": None,
    "validate_inbound_headers": True,
    "websocket": True,
}
"""What mitmproxy must be set to. Eager connections and copied certificates break a name-constrained CA and open
connections that no account owns; proxy_debug prints what goes over the wire, managed tokens included. The sticky
ones give one client's login to another, and with us the mark that stands in its place. Without websocket what is said
in one passes as it is, unread."""

HELD: Final[Mapping[str, tuple[object, str]]] = {
    "connection_strategy": ("lazy", "connections that no account owns would be opened"),
    "upstream_cert": (False, "certificates would be copied that the CA cannot vouch for"),
    "proxy_debug": (False, "what goes over the wire would be printed, tokens of accounts included"),
    "validate_inbound_headers": (True, "a request that two servers read in two ways could carry an account's token"),
    "ssl_insecure": (False, "tokens of accounts would go to servers that nobody has verified"),
    "rotate_allow_insecure": (False, "tokens of accounts would go to servers that nobody has verified"),
    "websocket": (True, "what is said in a WebSocket would pass unread, tokens of accounts included"),
    "stickyauth": (None, "one client would get the login of another"),
    "stickycookie": (None, "one client would get the cookies of another"),
}
"""What no change may take away while the proxy runs, and why. What the insecure ones are at the start, they may stay.
"""


def broken_promise(changed: set[str], now: Options) -> str:
    """What is wrong with a change of options while the proxy runs; "" for nothing."""
    for name, (value, why) in HELD.items():
        if name in changed and name in now and getattr(now, name) != value:
            return f"{name} stays {'unset' if value is None else str(value).lower()} while codex-rotate runs: {why}."
    if changed & {"allow_hosts", "ignore_hosts"} and not now.allow_hosts and not now.ignore_hosts:
        return (
            f"allow_hosts cannot be empty while codex-rotate runs: every host would be opened. Its own is {INTERCEPT}."
        )
    return ""


COLUMNS: Final = ["tls", "icon", "path", "method", "status", "comment", "size", "time"]
"""Of mitmweb's list. The comment stands before a column that is aligned to the right: it fills its own."""

CANNOT_VOUCH: Final = (
    f"the CA of codex-rotate can vouch for {' and '.join(PROVIDER.domains)} only, so clients refuse every other host "
    "that is opened. To look into other hosts run `codex-rotate serve --intercept-all`."
)


INSECURE_HERE: Final = (
    "ssl_insecure is on, so nobody verifies servers. Requests that accounts serve go to this machine only, and are "
    "refused otherwise; --set rotate_allow_insecure=true would send tokens of accounts anywhere."
)
INSECURE: Final = (
    "ssl_insecure and rotate_allow_insecure are on: TOKENS OF ACCOUNTS GO TO SERVERS THAT NOBODY HAS VERIFIED. Whoever "
    "is on the way can take them. End this proxy unless every server is your own."
)


def opens_others(allow_hosts: Sequence[str]) -> bool:
    """Whether hosts beside the provider's are opened, as far as patterns tell. None at all means every host."""
    widely = (not re.search("chatgpt", each) or re.search(each, "example.com:443") for each in allow_hosts)
    return not allow_hosts or any(widely)


class Startup:
    """Owns the options and the pool of this proxy."""

    def __init__(self) -> None:
        self.service: PoolService | None = None
        self.chosen = options.ChosenOptions()
        self.held = HeldWindows()
        self.settled = asyncio.Event()
        """Set once it is known whether there is a pool."""

    def load(self, loader: Loader) -> None:
        options.add_to(loader)
        put_in_place()

    def configure(self, updated: set[str]) -> None:
        wrong = options.wrong_choice(ctx.options)
        if wrong and self.settled.is_set() and updated & options.CHOICES.keys():
            raise exceptions.OptionsError(wrong)
        if self.settled.is_set() and updated >= set(ctx.options.keys()):  # `options.reset`, which nobody can refuse
            self._force_options()
        if self.settled.is_set() and (broken := broken_promise(updated, ctx.options)):
            raise exceptions.OptionsError(f"codex-rotate: {broken}")
        self.chosen = options.ChosenOptions.of(ctx.options, ctx.master.addons)

    def running(self) -> None:
        try:
            self._open()
        finally:
            self.settled.set()

    def _open(self) -> None:
        self._force_options()
        private_output.keep_private()
        private_output.warn_of_key_log()
        private_output.close_written(ctx.options, ctx.master.addons)
        self.chosen = options.ChosenOptions.of(ctx.options, ctx.master.addons)  # every addon is there now
        try:
            if wrong := options.wrong_choice(ctx.options):
                raise UsageError(wrong)
            selftest.check(ctx.options)
            dialing.race_addresses(asyncio.get_running_loop())
            descriptors.raise_limit()
            for folder in (paths.home(), paths.locks_folder(), paths.codex_auth_file().parent):
                files.sweep_unfinished(folder, clock.now())
            hook_check.choose_manager(ctx.master, indexed=self.chosen.rotate_hook_index)
            self.service = PoolService(paths.pool_file(), clock.now, settings=settings.load(), steady=clock.monotonic)
            if not self.service.pool.candidates:
                raise no_accounts(paths.pool_file())
        except (RotateError, settings.ConfigError, OSError) as e:
            # An error logged before the proxy runs makes mitmproxy exit with this line. A saved capture can be read
            # without a pool; what comes in meanwhile is refused, because `opened` raises.
            logger.log(logging.WARNING if ctx.options.rfile else logging.ERROR, "codex-rotate: %s", e)
            return
        logger.info("codex-rotate: %d accounts from %s", len(self.service.pool.candidates), paths.pool_file())

    def opened(self) -> PoolService:
        """The pool. Raises when there is none: what was asked is then refused."""
        if self.service is None:
            raise RuntimeError("the pool is not open")
        return self.service

    def usage_days(self) -> int:
        """How long the ledger keeps the rows of turns."""
        return (self.service.settings if self.service is not None else settings.Settings()).usage_days

    @property
    def account_ids(self) -> frozenset[bytes]:
        """The ids of the pool's accounts and their owners; none while there is no pool."""
        return self.service.account_ids if self.service is not None else frozenset()

    def shown(self) -> flows.FlowRedactor:
        """What the flow of a new request shows."""
        if not self.chosen.rotate_redact:
            return flows.NoRedaction()
        return flows.FlowRedactor(self.account_ids, watched=self.chosen.watched)

    def pooled(self, flow: http.HTTPFlow, shown: flows.FlowRedactor, ask: Ask) -> PooledRequest:
        """The exchange of a request that the pool serves."""
        limits = Limits(
            self.chosen.rotate_head_timeout,
            self.chosen.rotate_stall_timeout,
            self.chosen.rotate_capture_limit,
            self.chosen.rotate_chain_bytes,
        )
        kind = CatalogueRequest if ask.steady else PooledRequest
        return kind(self.opened(), flow, shown, ask, limits)

    def quota_for(self, ask: Ask, *, virtual: bool) -> PoolQuota | None:
        """What a client is told of limits who asks so; None: what upstream says. `virtual`: its login is one of ours,
        and has none of its own."""
        service = self.service
        if service is None or not (virtual or service.settings.show_pool == "pool"):
            return None
        return PoolQuota(service, ask, self.held)

    def done(self) -> None:
        self.settled.clear()
        if self.service is not None:
            self.service.close()
            self.service = None

    def _force_options(self) -> None:
        wrong = {
            name: value for name, value in FORCED.items() if name in ctx.options and getattr(ctx.options, name) != value
        }
        if not ctx.options.allow_hosts and not ctx.options.ignore_hosts:
            wrong["allow_hosts"] = [INTERCEPT]
        if "web_columns" in ctx.options and ctx.options.web_columns == ctx.options.default("web_columns"):
            ctx.options.update(web_columns=COLUMNS)  # not forced: mitmweb's own have no comment
        if wrong:
            ctx.options.update(**wrong)
            said = ", ".join(f"{name}={value}" for name, value in sorted(wrong.items()))
            logger.info("codex-rotate: set what it needs: %s", said)
        if opens_others(ctx.options.allow_hosts) and Path(ctx.options.confdir).expanduser() == paths.ca_folder():
            logger.warning("codex-rotate: %s", CANNOT_VOUCH)
        if ctx.options.ssl_insecure:
            logger.warning("codex-rotate: %s", INSECURE if ctx.options.rotate_allow_insecure else INSECURE_HERE)
