"""Serves the page of this proxy, beside its traffic and apart from it."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mitmproxy import ctx

from accounts.people.keys import LOCAL
from accounts.views.live_turns import LiveTurn
from addons.dashboard import binding
from addons.dashboard.health import Health
from addons.dashboard.metrics import Metrics
from addons.startup import Startup
from config import paths
from config.errors import RotateError
from config.page import token
from config.page.address import PageAddress, read_address

if TYPE_CHECKING:
    from addons.dashboard.contents import Look
    from addons.dashboard.server import PageServer

logger = logging.getLogger(__name__)

NEEDS_KEYS = (
    "codex-rotate: the page is not served: %s can be reached by others. Make a key for each of them first "
    "(`codex-rotate keys add NAME`), or let it be on this machine only."
)


class Dashboard:
    """An addon. `live` tells the turns that are under way; `look` what `doctor` finds without asking anybody."""

    def __init__(
        self, startup: Startup, live: Callable[[], Sequence[LiveTurn]], metrics: Metrics, health: Health
    ) -> None:
        self.startup = startup
        self.live = live
        self.metrics = metrics
        self.health = health
        self.look: Look | None = None
        self.aside = ""
        """Why it is not where it usually is."""
        self._token = ""
        self._server: PageServer | None = None

    @property
    def url(self) -> str:
        """Where it is; "" for no page."""
        return f"{self._server.address.url}/" if self._server is not None else ""

    @property
    def entrance(self) -> str:
        """The address that lets its owner in."""
        return f"{self.url}?token={self._token}" if self._server is not None else ""

    def running(self) -> None:
        if self.startup.service is None or not ctx.options.server:
            return
        try:
            wanted = read_address(self.startup.chosen.rotate_page)
        except ValueError as e:
            logger.error("codex-rotate: rotate_page %s", e)  # noqa: TRY400 - a sentence for who has typed it
            return
        if wanted is not None:
            self._open(wanted)

    def configure(self, updated: set[str]) -> None:
        if "server" in updated and not ctx.options.server:
            self.done()  # this proxy ends: who comes after it takes the port

    def done(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _open(self, wanted: PageAddress) -> None:
        service = self.startup.opened()
        keys = service.clients.keys.known.values()
        if not wanted.is_private and not any(name != LOCAL for name in keys):
            logger.warning(NEEDS_KEYS, wanted.host)
            return
        try:
            self._token = token.own_token()
            bound = binding.bind(wanted)
        except (RotateError, OSError) as e:
            logger.warning("codex-rotate: no page: %s", e)
            return
        from addons.dashboard.contents import Contents  # late: tornado, and what draws
        from addons.dashboard.reading import PageReader
        from addons.dashboard.server import Machines, PageServer

        self.aside = bound.aside
        contents = Contents(service, PageReader(paths.pool_file()), self.live, self.look)
        self._server = PageServer(bound.address, self._token, contents, self._proxy)
        self._server.machines = Machines(self.metrics, self.health)
        self._server.open(bound.listener)
        logger.info(
            "codex-rotate: the page is at %s; `codex-rotate open` opens it%s",
            self.url,
            f" ({self.aside})" if self.aside else "",
        )

    def _proxy(self) -> str:
        addresses = ctx.master.addons.get("proxyserver").listen_addrs()
        return f"{addresses[0][0]}:{addresses[0][1]}" if addresses else ""
