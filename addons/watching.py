"""Whether anybody can see more of a flow than its first line: looking for secrets costs more than all the rest."""

from typing import Final

from mitmproxy.addonmanager import AddonManager
from mitmproxy.options import Options

WRITES: Final = ("save_stream_file", "hardump")
SHOWS_MORE: Final = 2
"""From this `flow_detail` on, mitmdump prints headers, and from 3 on bodies."""


def anybody(addons: AddonManager, options: Options) -> bool:
    """mitmweb and the console keep flows; mitmdump prints or writes them where it is told to."""
    return (
        addons.get("view") is not None
        or any(name in options and getattr(options, name) for name in WRITES)
        or ("flow_detail" in options and options.flow_detail >= SHOWS_MORE)
    )
