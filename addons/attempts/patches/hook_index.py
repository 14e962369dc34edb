"""An addon manager that knows for each hook which addons have it, in the place of mitmproxy's own.

`serve` and `run` put it into the masters they start (addons/masters.py); into one that was started by others it is put
when our addon runs (addons/startup.py). What it must not change is who is called, and in which order: `differences`.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from mitmproxy.addonmanager import AddonManager, safecall, traverse
from mitmproxy.exceptions import AddonHalt
from mitmproxy.hooks import Hook, all_hooks
from mitmproxy.master import Master


class IndexedAddonManager(AddonManager):
    """mitmproxy's, with an index of hooks.

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
        having = self.having(event)
        arguments = event.args() if having else []
        for functions in having:
            try:
                for function in functions:
                    result: Awaitable[object] | None = function(*arguments)
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
        if self._has_changed():
            self._known = list(self.chain)
            self._below = [(each, list(each.addons)) for each in traverse(self.chain) if hasattr(each, "addons")]
            self._functions.clear()
        having = self._functions.get(event.name)
        if having is None:
            having = self._functions[event.name] = []
            for addon in self.chain:
                with safecall():  # what only has the name of a hook is left out, and said
                    if functions := [function for _, function in self._iter_hooks(addon, event)]:
                        having.append(functions)
        return having

    def _has_changed(self) -> bool:
        if self._known != self.chain:
            return True
        for parent, children in self._below:  # noqa: SIM110 - asked at every hook, and a generator costs more
            if parent.addons != children:
                return True
        return False


def install_hook_index(master: Master) -> bool:
    """Have hooks called by an index. False if they are already."""
    if isinstance(master.addons, IndexedAddonManager):
        return False
    _replace(master, IndexedAddonManager)
    return True


def remove_hook_index(master: Master) -> None:
    """Have hooks called by a manager of mitmproxy's own."""
    if isinstance(master.addons, IndexedAddonManager):
        _replace(master, AddonManager)


def _replace(master: Master, kind: type[AddonManager]) -> None:
    """With the same addons. Whoever is being called goes on being called by the manager that began it."""
    before = master.addons
    master.options.changed.disconnect(before._configure_all)  # noqa: SLF001 - else both tell of a change
    try:
        after = kind(master)
    except Exception:
        master.options.changed.connect(before._configure_all)  # noqa: SLF001
        raise
    after.chain, after.lookup = before.chain, before.lookup
    master.addons = after


def called(manager: AddonManager, hook: type[Hook]) -> list[Callable[..., Any]]:
    """What a manager, mitmproxy's or ours, calls for a hook."""
    event = object.__new__(hook)  # its name is all that is looked at
    if isinstance(manager, IndexedAddonManager):
        return [function for functions in manager.having(event) for function in functions]
    return [function for addon in manager.chain for _, function in manager._iter_hooks(addon, event)]  # noqa: SLF001


def differences(manager: AddonManager) -> list[str]:
    """The hooks for which a manager does not call everybody who has it, in the order of the chain."""
    chain = list(traverse(manager.chain))
    found = []
    for name, hook in sorted(all_hooks.items()):
        having = [getattr(addon, name, None) for addon in chain]
        if called(manager, hook) != [each for each in having if callable(each)]:
            found.append(name)
    return found
