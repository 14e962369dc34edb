"""The proxy starts only in a master that calls every hook of ours."""

from collections.abc import Callable
from typing import Any

import pytest
from mitmproxy import hooks
from mitmproxy.addons import default_addons
from mitmproxy.hooks import all_hooks
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.test import taddons

import addons as product
from addons.attempts import hook_check, hook_index
from addons.startup import Startup


def ours_of(hook: str) -> list[Callable[..., Any]]:
    return [getattr(each, hook) for each in product.addons if hasattr(each, hook)]


def test_the_list_is_what_our_addons_have() -> None:
    """A name that no hook of mitmproxy has any more would be missed: each is in the list by name."""
    defined = {name for name in all_hooks for each in product.addons if callable(getattr(each, name, None))}
    assert defined == hook_check.HOOKS


@pytest.mark.parametrize("indexed", [True, False])
async def test_each_way_of_asking_addons_calls_all_of_them(indexed: bool) -> None:
    with taddons.context(*default_addons(), loadcore=False) as context:
        if indexed:
            hook_index.ask_less(context.master)
        context.master.addons.add(*product.addons)
        hook_check.check(context.master)
        for hook in hook_check.HOOKS:
            called = hook_index.called(context.master.addons, all_hooks[hook])
            assert [each for each in called if each in ours_of(hook)] == ours_of(hook)


@pytest.mark.parametrize("hook", sorted(hook_check.HOOKS))
async def test_a_master_that_leaves_one_out_is_refused(hook: str) -> None:
    """As one that has made a list of hooks before all modules that define some were loaded."""

    class Deaf(hook_index.Asked):
        def having(self, event: hooks.Hook) -> list[list[Callable[..., Any]]]:
            return [] if event.name == hook else super().having(event)

    master = Master(Options())
    deaf = master.addons = Deaf(master)
    deaf.chain = list(product.addons)
    with pytest.raises(hook_check.HookNotCalled, match=f"hook {hook} of"):
        hook_check.check(master)


def test_a_hook_that_mitmproxy_does_not_have_any_more_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(all_hooks, "client_connected")
    with taddons.context(Startup()) as context, pytest.raises(hook_check.HookNotCalled, match="does not exist"):
        hook_check.check(context.master)
