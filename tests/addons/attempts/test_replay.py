"""mitmproxy plays requests again with our streams as long as the addon is loaded, and with its own again afterwards."""

import asyncio

import pytest
from mitmproxy.addons import clientplayback
from mitmproxy.test import taddons, tflow

from addons.attempts import stream
from addons.attempts.replay import Replays
from addons.exchange import passthrough
from addons.redaction import flows


@pytest.fixture
def replays() -> Replays:
    return Replays(
        lambda flow: passthrough.FailClosed(flow, flows.FlowRedactor()), asyncio.Event().wait, lambda *_: None
    )


async def test_its_layer_makes_streams_of_ours(replays: Replays) -> None:
    theirs = clientplayback.ReplayHandler
    with taddons.context() as context:
        replays.take_over()
        try:
            handler = clientplayback.ReplayHandler(tflow.tflow(), context.options)
            for _ in handler.layer.make_stream(1):
                pass
            assert isinstance(handler.layer.streams[1], stream.AttemptStream)
            assert handler.max_conns["one address"]._value > 5
        finally:
            replays.give_back()
    assert clientplayback.ReplayHandler is theirs


async def test_nothing_is_played_before_the_proxy_is_ready(replays: Replays) -> None:
    with taddons.context() as context:
        replays.take_over()
        try:
            flow = tflow.tflow(live=False)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(clientplayback.ReplayHandler(flow, context.options).replay(), 0.01)
            assert (flow.live, replays.playing) == (False, set())
        finally:
            replays.give_back()
