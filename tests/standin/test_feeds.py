"""Event streams that go on for as long as a test wants."""

from collections.abc import Callable

import httpx

from standin import Account, StandIn
from standin.feeds import PATH
from tests.standin.clients import Http2Client, credentials


def test_a_feed_goes_on_until_it_is_ended(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """What is said arrives while it is open."""
    upstream.open_feeds()
    with http.stream("POST", PATH, headers=credentials(account), json={}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        for number in range(3):
            upstream.say({"type": "news", "number": number})
            assert [next(lines) for _ in range(3)][1] == f'data: {{"type": "news", "number": {number}}}'
        upstream.end_feeds()
        assert not list(lines)


def test_over_http_2(upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client]) -> None:
    upstream.open_feeds()
    client = h2_client()
    asked = client.ask("POST", PATH, credentials(account), b"{}")
    client.read_until(lambda: client.answers[asked].status == 200, asked)
    upstream.say({"type": "news"})
    client.read_until(lambda: b"news" in client.answers[asked].body, asked)
    assert not client.answers[asked].ended
    client.cancel(asked)
    assert upstream.wait_for(lambda: upstream.requests[0].disconnected)


def test_there_is_none_unless_it_was_opened(account: Account, http: httpx.Client) -> None:
    """The official client asks for one too."""
    assert http.post(PATH, headers=credentials(account), json={}).status_code == 404
