"""mitmdump and mitmweb as `serve` starts them: mitmproxy's own, with less work for each hook and each message."""

import logging
import os
import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Final

from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.tools import cmdline, main
from mitmproxy.tools.dump import DumpMaster

from addons.attempts.patches.hook_index import install_hook_index
from addons.attempts.patches.typechecks import skip_message_typechecks
from addons.recording import serve_log
from addons.recording.serve_log import Look

logger = logging.getLogger(__name__)


class Dump(DumpMaster):
    """mitmdump."""

    look = Look.AS_IT_IS

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        install_hook_index(self)
        serve_log.dress(self.addons, self.look)

    async def running(self) -> None:
        await _started(self, super().running, self.look)


async def _started(master: Master, running: Callable[[], Awaitable[None]], look: Look) -> None:
    """Let a master run, unless it was given options that nobody has: mitmproxy would say nothing."""
    given = [each.partition("=")[0] for flag, each in pairwise(sys.argv) if flag == "--set"]
    unknown = [each for each in given if each in master.options.deferred]
    if unknown:
        # An error logged before the proxy runs makes mitmproxy exit with this line.
        logger.error("codex-rotate: Unknown option(s): %s", ", ".join(unknown))
        return
    await running()
    if look not in {Look.AS_IT_IS, Look.WARNINGS}:
        serve_log.greet(master.addons)


def mitmdump(look: str) -> None:
    """Run until stopped, with the arguments of the process."""
    _prepare()

    class Looking(Dump):
        pass

    Looking.look = Look(look)
    main.run(Looking, cmdline.mitmdump, sys.argv[1:])


def mitmweb(look: str) -> None:
    """Run until stopped, with the arguments of the process."""
    from mitmproxy.tools.web.master import WebMaster  # late: mitmdump does without tornado

    _prepare()

    class Web(WebMaster):
        def __init__(self, options: Options) -> None:
            super().__init__(options)
            install_hook_index(self)
            serve_log.dress(self.addons, Look(look))

        async def running(self) -> None:
            await _started(self, super().running, Look(look))

    main.run(Web, cmdline.mitmweb, sys.argv[1:])


def _prepare() -> None:
    skip_message_typechecks()
    os.umask(0o077)  # a capture holds prompts and code
    sys.argv[0] = "codex-rotate"  # who mitmproxy says has a complaint


TOOLS: Final = {"mitmdump": mitmdump, "mitmweb": mitmweb}
