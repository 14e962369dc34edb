"""The mitmproxy side. The order of this list is the order of the hooks."""

from addons.buffers import Buffers
from addons.clients import Clients
from addons.keeper import Keeper
from addons.masked_logs import MaskedLogs
from addons.palette import KeptFlows, Palette
from addons.presence import Presence
from addons.rotator import Rotator, SocketRotator
from addons.startup import Startup
from addons.upstream_proxy import UpstreamProxy
from addons.views import Views

startup = Startup()
clients = Clients(startup)
rotator = Rotator(startup, clients)
addons = [
    startup,
    MaskedLogs(startup),
    clients,
    Presence(startup),
    Keeper(startup),
    rotator,
    SocketRotator(rotator),
    UpstreamProxy(),
    Buffers(),
    Palette(startup),
    KeptFlows(startup),
    Views(),
]
