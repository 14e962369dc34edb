"""The mitmproxy side. The order of this list is the order of the hooks."""

from addons.buffers import Buffers
from addons.clients import Clients
from addons.draining import Draining
from addons.keeper import Keeper
from addons.masked_logs import MaskedLogs
from addons.palette import KeptFlows, Palette
from addons.presence import Presence
from addons.rotator import Rotator, SocketRotator
from addons.startup import Startup
from addons.turn_log import TurnLog
from addons.upstream_proxy import UpstreamProxy
from addons.views import Views

startup = Startup()
clients = Clients(startup)
presence = Presence(startup)
turns = TurnLog(clients.name_of)
way_out = UpstreamProxy()
rotator = Rotator(startup, clients, turns, way_out.lead_replay)
socket_rotator = SocketRotator(rotator)
addons = [
    startup,
    MaskedLogs(startup),
    clients,
    presence,
    Keeper(startup),
    rotator,
    socket_rotator,
    Draining(presence, rotator, socket_rotator),
    turns,
    way_out,
    Buffers(),
    Palette(startup),
    KeptFlows(startup),
    Views(),
]
