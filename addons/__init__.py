"""The mitmproxy side. The order of this list is the order of the hooks."""

from addons.keeper import Keeper
from addons.rotator import Rotator, SocketRotator
from addons.startup import Startup

startup = Startup()
rotator = Rotator(startup)
addons = [startup, Keeper(startup), rotator, SocketRotator(rotator)]
