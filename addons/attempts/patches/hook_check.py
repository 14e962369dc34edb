"""Sees to it, in the master that was started, that every hook of ours is called.

A hook that is never called fails in silence: clients that are not counted, credentials that are not swapped. Which
functions are called depends on how the proxy was started (docs/mitmproxy.md section 4), so it is asked there.
"""

import logging
from collections.abc import Iterable
from typing import Final

from mitmproxy import version
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.hooks import all_hooks
from mitmproxy.master import Master

from addons.attempts.patches import hook_index
from addons.attempts.patches.typechecks import skip_message_typechecks
from config.errors import RotateError

logger = logging.getLogger(__name__)

HOOKS: Final = frozenset(
    {
        "client_connected",
        "client_disconnected",
        "configure",
        "done",
        "error",
        "http_connect",
        "http_connect_upstream",
        "load",
        "next_layer",
        "request",
        "requestheaders",
        "response",
        "responseheaders",
        "running",
        "server_connect",
        "server_connected",
        "tls_established_client",
        "upstream_decision",
        "websocket_end",
        "websocket_message",
        "websocket_start",
    }
)
"""Those that our addons have."""
INDEXED: Final = (
    "hooks reach only the addons that have them, and messages are made without checks of their types: less CPU. `--set "
    "rotate_hook_index=false` leaves mitmproxy as it is."
)
PACKAGE: Final = __name__.partition(".")[0]


class HookNotCalled(RotateError):
    """A hook of ours would not be called."""

    def __init__(self, hook: str, trouble: str) -> None:
        super().__init__(
            f"the hook {hook} {trouble} with mitmproxy {version.VERSION} as it was started, so requests would not be "
            "handled as they must be. Start the proxy with `codex-rotate serve`, without other scripts; if that says "
            "the same, install a mitmproxy that this release supports."
        )


class NotTheSame(Exception):
    """The index does not call whom mitmproxy would."""


def choose_manager(master: Master, *, indexed: bool) -> None:
    """Have hooks called by the index, if that is wanted and sound, else as mitmproxy does. Raises HookNotCalled when
    some of ours are not called either way."""
    if indexed:
        try:
            installed = _install(master)
        except Exception as e:  # noqa: BLE001 - what spares work is no reason not to start
            logger.warning(
                "codex-rotate: the index of hooks does not work with mitmproxy %s (%s), so mitmproxy calls them in its "
                "own way, which takes more CPU.",
                version.VERSION,
                str(e) or type(e).__name__,
            )
        else:
            if installed:
                logger.info("codex-rotate: %s", INDEXED)
            return
    hook_index.remove_hook_index(master)
    check(master)


def _install(master: Master) -> bool:
    """Whether it was not there before. Raises whatever is wrong with it."""
    installed = hook_index.install_hook_index(master)
    if found := hook_index.differences(master.addons):
        raise NotTheSame(f"{', '.join(found)} would reach others")
    check(master)
    skip_message_typechecks()
    return installed


def check(master: Master) -> None:
    """Raises HookNotCalled."""
    check_manager(master.addons, [each for each in traverse(master.addons.chain) if _is_ours(each)])


def check_manager(manager: AddonManager, ours: Iterable[object]) -> None:
    """The same for one manager and the addons that are to be called."""
    ours = list(ours)
    for hook in sorted(HOOKS):
        if hook not in all_hooks:
            raise HookNotCalled(hook, "does not exist")
        called = hook_index.called(manager, all_hooks[hook])
        for addon in ours:
            function = getattr(addon, hook, None)
            if function is not None and function not in called:
                raise HookNotCalled(hook, f"of {type(addon).__name__} is not called")


def _is_ours(addon: object) -> bool:
    return type(addon).__module__.partition(".")[0] == PACKAGE
