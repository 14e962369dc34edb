"""Several addons are to mitmproxy what they are one by one."""

import asyncio

import pytest
from mitmproxy import command, hooks
from mitmproxy.addons import default_addons
from mitmproxy.test import taddons, tflow

from addons import addons
from addons.together import Together
from addons.views import Views

type Log = list[str]


class First:
    def __init__(self, log: Log) -> None:
        self.log = log

    def request(self, flow: object) -> None:
        self.log.append("first request")

    async def response(self, flow: object) -> None:
        await asyncio.sleep(0)
        self.log.append("first response")

    @command.command("together.first")
    def first(self) -> str:
        return "told by the first"


class Second:
    def __init__(self, log: Log) -> None:
        self.log = log

    def request(self, flow: object) -> None:
        self.log.append("second request")

    def running(self) -> None:
        self.log.append("second runs")


async def test_hooks_come_in_order_and_only_to_those_who_have_them() -> None:
    log: Log = []
    with taddons.context(Together(First(log), Second(log))) as context:
        flow = tflow.tflow()
        for hook in (hooks.RunningHook(), *(hooks.all_hooks[name](flow) for name in ("request", "response", "error"))):
            await context.master.addons.trigger_event(hook)
        assert log == ["second runs", "first request", "second request", "first response"]
        assert context.master.commands.call("together.first") == "told by the first"


async def test_one_that_raises_stops_those_after_it() -> None:
    """As if each were registered by itself: a script's addons are one to mitmproxy in that."""
    log: Log = []

    class Broken:
        def request(self, flow: object) -> None:
            raise ValueError("broken by a test")

    with taddons.context(Together(First(log), Broken(), Second(log))) as context:
        await context.master.addons.trigger_event(hooks.all_hooks["request"](tflow.tflow()))
    assert log == ["first request"]


@pytest.mark.parametrize("hook", ["requestheaders", "next_layer", "upstream_decision", "websocket_message", "done"])
def test_ours_have_the_hooks_that_everything_depends_on(hook: str) -> None:
    (ours,) = addons
    assert callable(getattr(ours, hook))


def test_ours_can_be_registered_beside_mitmproxy_s_own() -> None:
    with taddons.context(*default_addons(), Together(Views()), loadcore=False) as context:
        assert context.master.addons.get("codex_rotate") is not None
