"""Plain mitmdump passes event streams on, and keeps whatever else it keeps by itself."""

import pytest
from mitmproxy.test import tflow

from benchmarks.scripts import streamed


@pytest.mark.parametrize(
    ("kind", "passes"),
    [("text/event-stream; charset=utf-8", True), ("text/event-stream", True), ("application/json", False), ("", False)],
)
def test_event_streams_pass(kind, passes):
    flow = tflow.tflow(resp=True)
    flow.response.headers["content-type"] = kind
    streamed.responseheaders(flow)
    assert bool(flow.response.stream) is passes
