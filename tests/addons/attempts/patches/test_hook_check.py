"""The proxy starts only in a master that calls every hook of ours."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from mitmproxy import hooks, http
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons import default_addons
from mitmproxy.hooks import all_hooks
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.test import taddons

from addons import chain as product
from addons.attempts.patches import hook_check, hook_index
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
            hook_index.install_hook_index(context.master)
        context.master.addons.add(*product.addons)
        hook_check.check(context.master)
        for hook in hook_check.HOOKS:
            called = hook_index.called(context.master.addons, all_hooks[hook])
            assert [each for each in called if each in ours_of(hook)] == ours_of(hook)


@pytest.mark.parametrize("hook", sorted(hook_check.HOOKS))
async def test_a_master_that_leaves_one_out_is_refused(hook: str) -> None:
    """As one that has made a list of hooks before all modules that define some were loaded."""

    class Deaf(hook_index.IndexedAddonManager):
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


# --- which manager ---------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def checked_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is switched off for the process is on again after each test."""
    monkeypatch.setattr(http.MessageData, "__post_init__", http.MessageData.__post_init__)


@pytest.mark.parametrize("before", [True, False])
async def test_the_index_is_put_in_and_said_once(before: bool, caplog: pytest.LogCaptureFixture) -> None:
    """`serve` has it from the start and says nothing."""
    caplog.set_level(logging.INFO)
    with taddons.context(*default_addons(), loadcore=False) as context:
        context.master.addons.add(*product.addons)
        if before:
            hook_index.install_hook_index(context.master)
        for _ in range(2):
            hook_check.choose_manager(context.master, indexed=True)
        assert isinstance(context.master.addons, hook_index.IndexedAddonManager)
    assert caplog.text.count("rotate_hook_index=false") == (0 if before else 1)


@pytest.mark.parametrize("before", [True, False])
async def test_the_option_leaves_mitmproxy_as_it_is(before: bool) -> None:
    with taddons.context(*default_addons(), loadcore=False) as context:
        context.master.addons.add(*product.addons)
        if before:
            hook_index.install_hook_index(context.master)
        hook_check.choose_manager(context.master, indexed=False)
        assert type(context.master.addons) is AddonManager


@pytest.mark.parametrize("wrong", ["request", "client_connected"])
async def test_an_index_that_is_wrong_is_taken_out_and_said(
    wrong: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong about a hook of somebody else or of ours: the proxy runs all the same."""

    class Deaf(hook_index.IndexedAddonManager):
        def having(self, event: hooks.Hook) -> list[list[Callable[..., Any]]]:
            return [] if event.name == wrong else super().having(event)

    monkeypatch.setattr(hook_index, "IndexedAddonManager", Deaf)
    with taddons.context(*default_addons(), loadcore=False) as context:
        context.master.addons.add(*product.addons)
        hook_check.choose_manager(context.master, indexed=True)
        assert type(context.master.addons) is AddonManager
    assert "the index of hooks does not work" in caplog.text
    assert wrong in caplog.text


async def test_an_index_that_cannot_be_made_is_no_reason_not_to_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise AttributeError("_configure_all")

    changes: list[set[str]] = []

    class Configured:
        def configure(self, updated: set[str]) -> None:
            changes.append(updated)

    monkeypatch.setattr(hook_index.IndexedAddonManager, "__init__", fails)
    with taddons.context(*product.addons, Configured()) as context:
        changes.clear()
        hook_check.choose_manager(context.master, indexed=True)
        context.options.update(confdir="/elsewhere")
    assert changes == [{"confdir"}]
    assert "_configure_all" in caplog.text
