"""mitmdump and mitmweb as `serve` starts them: mitmproxy's own, except that a hook asks only those who have it."""

import inspect
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any, Final

from mitmproxy import http
from mitmproxy.addonmanager import AddonManager, safecall, traverse
from mitmproxy.exceptions import AddonHalt
from mitmproxy.hooks import Hook
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.tools import cmdline, main
from mitmproxy.tools.dump import DumpMaster

from addons.recording import serve_log
from addons.recording.serve_log import Look

logger = logging.getLogger(__name__)


class Asked(AddonManager):
    """Knows for each hook which addons have it.

    mitmproxy looks at each of its forty addons at every hook, and once more for the update that follows: a fifth of
    what a turn costs it, and half of a WebSocket message. Most of them have to do with neither.
    """

    def __init__(self, master: Master) -> None:
        self._functions: dict[str, list[list[Callable[..., Any]]]] = {}
        self._known: list[object] = []
        self._below: list[tuple[Any, list[object]]] = []
        super().__init__(master)  # type: ignore[no-untyped-call]

    async def trigger_event(self, event: Hook) -> None:
        """As mitmproxy's: in the order of the chain. One that fails keeps no other from being asked."""
        for functions in self.having(event):
            try:
                for function in functions:
                    result = function(*event.args())
                    if result is not None and inspect.isawaitable(result):
                        await result
            except AddonHalt:
                return
            except Exception:
                with safecall():  # it says what failed, as for any addon
                    raise

    def trigger(self, event: Hook) -> None:
        """As mitmproxy's; each line of the log comes this way."""
        if self.having(event):
            super().trigger(event)

    def having(self, event: Hook) -> list[list[Callable[..., Any]]]:
        """What to call, for each addon of the chain together with those below it: scripts load and lose theirs."""
        if self._known != self.chain or any(parent.addons != children for parent, children in self._below):
            self._known = list(self.chain)
            self._below = [(each, list(each.addons)) for each in traverse(self.chain) if hasattr(each, "addons")]
            self._functions.clear()
        if event.name not in self._functions:
            having = self._functions[event.name] = []
            for addon in self.chain:
                with safecall():  # what only has the name of a hook is left out, and said
                    if functions := [function for _, function in self._iter_hooks(addon, event)]:
                        having.append(functions)
        return self._functions[event.name]


def called(manager: AddonManager, hook: type[Hook]) -> list[Callable[..., Any]]:
    """What a manager, mitmproxy's or ours, calls for a hook."""
    event = object.__new__(hook)  # its name is all that is looked at
    if isinstance(manager, Asked):
        return [function for functions in manager.having(event) for function in functions]
    return [function for addon in manager.chain for _, function in manager._iter_hooks(addon, event)]  # noqa: SLF001


def ask_less(master: Master) -> None:
    """Have a master's addons asked that way."""
    asked = Asked(master)
    asked.chain, asked.lookup = master.addons.chain, master.addons.lookup
    master.addons = asked


class Dump(DumpMaster):
    """mitmdump."""

    look = Look.AS_IT_IS

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        ask_less(self)
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
    if look is not Look.AS_IT_IS:
        serve_log.greet(master.addons)


def spare_checks() -> None:
    """Leave out, in this process, a check that mitmproxy has for its developers: without `python -O` it looks at the
    types of each message that is made. A None leaves an exception behind that holds the frames of all callers, and so
    flows and bodies, until the garbage collector comes: with large bodies a hundred megabytes of them.
    """
    http.MessageData.__post_init__ = _unchecked  # type: ignore[method-assign]


def _unchecked(_: http.MessageData) -> None:
    """As with `python -O`, which as a whole mitmproxy does not stand: it reads flows inside `assert`."""


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
            ask_less(self)
            serve_log.dress(self.addons, Look(look))

        async def running(self) -> None:
            await _started(self, super().running, Look(look))

    main.run(Web, cmdline.mitmweb, sys.argv[1:])


def _prepare() -> None:
    spare_checks()
    os.umask(0o077)  # a capture holds prompts and code
    sys.argv[0] = "codex-rotate"  # who mitmproxy says has a complaint


TOOLS: Final = {"mitmdump": mitmdump, "mitmweb": mitmweb}
