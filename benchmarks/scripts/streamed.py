"""A mitmproxy script for plain mitmdump: event streams pass as they come.

Without it mitmdump keeps an answer until it is complete, and there would be no first byte to compare with.
"""

from mitmproxy import http


def responseheaders(flow: http.HTTPFlow) -> None:
    assert flow.response is not None
    if flow.response.headers.get("content-type", "").startswith("text/event-stream"):
        flow.response.stream = True
