"""Checks, in the master that was started, that mitmproxy calls every hook of ours.

A hook that is never called fails in silence: clients that are not counted, credentials that are not swapped. Which
functions are called depends on how the proxy was started (docs/mitmproxy.md section 4), so it is asked there.
"""

from collections.abc import Iterable
from typing import Final

from mitmproxy import version
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.hooks import all_hooks
from mitmproxy.master import Master

from accounts.errors import RotateError
from addons.attempts import hook_index

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
        "requestheaders",
        "response",
        "responseheaders",
        "running",
        "server_connect",
        "tls_established_client",
        "tls_established_server",
        "upstream_decision",
        "websocket_end",
        "websocket_message",
        "websocket_start",
    }
)
"""Those that our addons have."""
PACKAGE: Final = __name__.partition(".")[0]


class HookNotCalled(RotateError):
    """A hook of ours would not be called."""

    def __init__(self, hook: str, trouble: str) -> None:
        super().__init__(
            f"the hook {hook} {trouble} with mitmproxy {version.VERSION} as it was started, so requests would not be "
            "handled as they must be. Start the proxy with `codex-rotate serve`, without other scripts; if that says "
            "the same, install a mitmproxy that this release supports."
        )


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
