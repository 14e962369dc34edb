"""A mitmproxy script: it is looked often for what somebody is to be told, and what is over is over soon."""

from accounts.notices import occurrences
from addons.upkeep import upkeep

upkeep.NOTICES_EVERY = 0.1  # type: ignore[misc]
occurrences.DRY_SECONDS = 1.0  # type: ignore[misc]
