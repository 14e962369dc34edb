"""Hooks reach whom they reach in mitmproxy, in the same order; only who has nothing to do with one is not asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.addonmanager import AddonManager
from mitmproxy.exceptions import AddonHalt
from mitmproxy.hooks import Hook, all_hooks
from mitmproxy.log import AddLogHook, LogEntry
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.test import tflow
from mitmproxy.tools.dump import DumpMaster

from addons.attempts.patches import hook_index

REQUEST, RESPONSE = "request", "response"


@dataclass
class Plan:
    """An addon that is to be made: what it does at each hook it has, and what is below it."""

    does: dict[str, str]
    below: list["Plan"] = field(default_factory=list)


class Logged:
    """An addon that notes when it is asked."""

    def __init__(self, plan: Plan, name: str, log: list[str]) -> None:
        self.name = name
        if plan.below:
            self.addons = [Logged(each, f"{name}.{number}", log) for number, each in enumerate(plan.below)]
        for hook, does in plan.does.items():
            setattr(self, hook, hook_that(does, f"{name} {hook}", log))


def hook_that(does: str, word: str, log: list[str]) -> Callable[..., Any]:
    def plain(_: object) -> None:
        log.append(word)
        if does == "raises":
            raise ValueError("broken by a test")
        if does == "halts":
            raise AddonHalt

    async def waits(_: object) -> None:
        await asyncio.sleep(0)
        log.append(word)

    return waits if does == "waits" else plain


DOES = st.dictionaries(
    st.sampled_from([REQUEST, RESPONSE, "update"]), st.sampled_from(["notes", "raises", "halts", "waits"])
)
LEAF = st.builds(Plan, DOES)
PLANS = st.lists(
    st.builds(Plan, DOES, st.lists(st.builds(Plan, DOES, st.lists(LEAF, max_size=2)), max_size=2)), max_size=5
)


def hook(name: str) -> Hook:
    return all_hooks[name](tflow.tflow(resp=True))


@asynccontextmanager
async def bare(*, less: bool) -> AsyncIterator[Master]:
    """A master without addons."""
    master = Master(Options())
    if less:
        hook_index.install_hook_index(master)
    try:
        yield master
    finally:
        await master.done()


@pytest.fixture
async def master() -> AsyncIterator[Master]:
    async with bare(less=True) as ours:
        yield ours


async def told(plans: list[Plan], *, less: bool) -> list[str]:
    log: list[str] = []
    async with bare(less=less) as master:
        master.addons.add(*(Logged(plan, str(number), log) for number, plan in enumerate(plans)))
        for name in (REQUEST, RESPONSE, REQUEST):
            await master.addons.handle_lifecycle(hook(name))
    return log


@given(PLANS)
def test_the_same_are_asked_in_the_same_order(plans: list[Plan]) -> None:
    assert asyncio.run(told(plans, less=True)) == asyncio.run(told(plans, less=False))


async def test_who_comes_later_is_asked_and_who_has_gone_is_not(master: Master) -> None:
    log: list[str] = []
    addons = master.addons
    first, second = (Logged(Plan({REQUEST: "notes"}), name, log) for name in ("first", "second"))
    addons.add(first)
    await addons.trigger_event(hook(REQUEST))
    addons.add(second)
    await addons.trigger_event(hook(REQUEST))
    addons.remove(first)
    await addons.trigger_event(hook(REQUEST))
    assert log == ["first request", "first request", "second request", "second request"]


async def test_a_script_that_is_loaded_again_is_asked_anew(master: Master) -> None:
    """mitmproxy registers the new module before the script has it below itself."""
    log: list[str] = []
    addons = master.addons
    parent = Logged(Plan({}, [Plan({REQUEST: "notes"})]), "script", log)
    addons.add(parent)
    await addons.trigger_event(hook(REQUEST))
    newer = Logged(Plan({REQUEST: "notes"}), "newer", log)
    addons.remove(parent.addons[0])
    addons.register(newer)
    await addons.trigger_event(hook(REQUEST))
    parent.addons = [newer]
    await addons.trigger_event(hook(REQUEST))
    assert log == ["script.0 request", "script.0 request", "newer request"]


async def test_what_an_addon_raises_is_logged_as_ever(master: Master, caplog: pytest.LogCaptureFixture) -> None:
    master.addons.add(Logged(Plan({REQUEST: "raises"}), "broken", []))
    await master.addons.trigger_event(hook(REQUEST))
    assert "Addon error: broken by a test" in caplog.text


async def test_what_only_has_the_name_of_a_hook_keeps_nobody_else_from_being_asked(
    master: Master, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    wrong = Logged(Plan({}), "wrong", log)
    wrong.request = 5  # type: ignore[attr-defined]
    master.addons.add(wrong, Logged(Plan({REQUEST: "notes"}), "right", log))
    await master.addons.trigger_event(hook(REQUEST))
    assert log == ["right request"]
    assert "request (<" in caplog.text
    assert "not callable" in caplog.text


async def test_lines_of_the_log_reach_an_addon_that_wants_them(master: Master) -> None:
    said: list[str] = []

    class Listener:
        def add_log(self, entry: LogEntry) -> None:
            said.append(entry.msg)

    master.addons.trigger(AddLogHook(LogEntry("nobody hears it", "info")))
    master.addons.add(Listener())
    master.addons.trigger(AddLogHook(LogEntry("heard", "info")))
    assert said == ["heard"]


async def test_changes_of_options_reach_addons_as_before(master: Master) -> None:
    """The manager that was replaced must not tell them a second time."""
    changes: list[set[str]] = []

    class Configured:
        def configure(self, updated: set[str]) -> None:
            changes.append(updated)

    master.addons.add(Configured())
    master.options.update(confdir="/elsewhere")
    assert changes == [{"confdir"}]


async def test_it_can_be_taken_out_again(master: Master) -> None:
    log: list[str] = []
    changes: list[set[str]] = []
    logged = Logged(Plan({REQUEST: "notes"}), "first", log)
    logged.configure = changes.append  # type: ignore[attr-defined]
    master.addons.add(logged)
    assert not hook_index.install_hook_index(master)
    hook_index.remove_hook_index(master)
    assert type(master.addons) is AddonManager
    await master.addons.trigger_event(hook(REQUEST))
    master.options.update(confdir="/elsewhere")
    assert (log, changes) == (["first request"], [{"confdir"}])


async def test_it_is_put_in_while_a_hook_is_being_called() -> None:
    """As by our addon in a master that others have started: who comes behind it is called once, and then as ever."""
    log: list[str] = []

    class Installs:
        def running(self) -> None:
            log.append("installs")
            assert hook_index.install_hook_index(master)
            master.addons.add(Logged(Plan({"running": "notes"}), "added", log))

    async with bare(less=False) as master:
        first, last = (Logged(Plan({"running": "notes", REQUEST: "notes"}), name, log) for name in ("first", "last"))
        for each in (first, last):
            each.running = lambda name=each.name: log.append(name)  # type: ignore[attr-defined]
        master.addons.add(first, Installs(), last)
        await master.running()
        assert log[:3] == ["first", "installs", "last"]
        await master.addons.trigger_event(hook(REQUEST))
        assert log[-2:] == ["first request", "last request"]
        assert hook_index.differences(master.addons) == []


async def test_a_manager_that_calls_others_is_seen(master: Master) -> None:
    """Whom it leaves out, and whom it calls in another order."""

    class Turned(hook_index.IndexedAddonManager):
        def having(self, event: Hook) -> list[list[Callable[..., Any]]]:
            found = super().having(event)
            return found[::-1] if event.name == REQUEST else found[1:] if event.name == RESPONSE else found

    turned = Turned(master)
    turned.add(*(Logged(Plan({REQUEST: "notes", RESPONSE: "notes", "error": "notes"}), name, []) for name in "ab"))
    assert hook_index.differences(turned) == [REQUEST, RESPONSE]


async def test_mitmproxy_s_own_manager_calls_everybody_who_has_a_hook() -> None:
    """With all of its addons: what the index is compared with is what mitmproxy does."""
    theirs = DumpMaster(Options())
    assert hook_index.differences(theirs.addons) == []
    await theirs.done()


async def test_an_update_is_looked_for_once_and_not_in_every_addon_each_time(master: Master) -> None:
    """That is what it is for: hooks that few addons have."""
    looked: list[str] = []

    class Counting:
        def __init__(self, name: str) -> None:
            self.name = name

        def __getattr__(self, name: str) -> Any:
            if name == REQUEST:
                looked.append(self.name)
            raise AttributeError(name)

    master.addons.add(*(Counting(name) for name in "abc"))
    for _ in range(5):
        await master.addons.trigger_event(hook(REQUEST))
    assert looked == ["a", "b", "c"]
