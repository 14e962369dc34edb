"""All addons. The order of this list is the order of the hooks."""

from addons.clients import Clients
from addons.commands import KeptFlows, PoolCommands
from addons.dashboard.dashboard import Dashboard
from addons.dashboard.health import Health
from addons.dashboard.metrics import Metrics
from addons.discovery import Discovery
from addons.draining import Draining
from addons.expulsion import Expulsion
from addons.idle_sockets import IdleSockets
from addons.inspection.content_view import Views
from addons.recording.ledger_writer import LedgerWriter
from addons.recording.live_turns import LiveTurns
from addons.recording.spending_feed import SpendingFeed
from addons.recording.turn_log import TurnLog
from addons.redaction.logs import MaskedLogs
from addons.rotator import Rotator, SocketRotator
from addons.startup import Startup
from addons.upkeep.upkeep import TokenUpkeep
from addons.upstream_proxy import UpstreamProxy
from config import paths

startup = Startup()
clients = Clients(startup)
metrics = Metrics(startup)
ledger = LedgerWriter(paths.usage_file, startup.usage_days)
spending = SpendingFeed(startup)
turns = TurnLog(clients.name_of, ledger, spending, metrics)
spending.news = metrics.news = turns.tell_now
way_out = UpstreamProxy()
rotator = Rotator(startup, clients, turns, way_out.lead_replay)
socket_rotator = SocketRotator(rotator)
live_turns = LiveTurns(rotator, socket_rotator)
metrics.live = live_turns.now
health = Health(startup)
dashboard = Dashboard(startup, live_turns.now, metrics, health)
discovery = Discovery(startup, clients, live_turns.now, lambda: dashboard.url)
draining = Draining(discovery, rotator, socket_rotator)
health.leaving = lambda: draining.task is not None
addons = [
    startup,
    MaskedLogs(startup),
    clients,
    dashboard,
    discovery,
    TokenUpkeep(startup),
    rotator,
    socket_rotator,
    draining,
    Expulsion(clients, draining.running_now),
    IdleSockets(startup, socket_rotator),
    turns,
    spending,
    ledger,
    way_out,
    PoolCommands(startup),
    KeptFlows(startup),
    Views(),
]
