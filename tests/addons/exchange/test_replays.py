"""What a request that is played again wants of the pool; tests/proxy/test_replays.py plays some."""

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from addons.exchange.replays import A_SOCKET, NO_POOL, UNKNOWN, mask_earlier, target_of, tidy, why_not
from addons.redaction.flows import MARK, FlowRedactor
from addons.wire.routes import Route, route_of

MARKED = MARK.decode()


def flow_of(authorization: str, *, served: bool, method: str = "POST", host: str = "chatgpt.com") -> http.HTTPFlow:
    flow = tflow.tflow()
    url = f"https://{host}/backend-api/codex/responses"
    flow.request = http.Request.make(method, url, b"x" * 7, {"authorization": authorization, "host": "chatgpt.com"})
    flow.client_conn.sni = "some.other.host"  # of a connection that is gone
    if served:
        flow.metadata["codex_rotate.transport"] = "http"
    return flow


@pytest.mark.parametrize(
    ("flow", "route"),
    [
        (flow_of(MARKED, served=True), Route.GENERATION),
        (flow_of(MARKED, served=False), Route.OWN),  # it may have been an API key
        (flow_of("Bearer of-the-client", served=False), Route.GENERATION),
        (flow_of("Bearer sk-of-the-client", served=True), Route.OWN),
        (flow_of(MARKED, served=True, host="example.com"), Route.OWN),
        (flow_of(MARKED, served=True, method="DELETE"), Route.OWN),
    ],
)
def test_a_mark_stands_for_a_login_where_the_pool_has_answered_before(flow: http.HTTPFlow, route: Route) -> None:
    assert route_of(target_of(flow)) is route


def test_reasons_not_to_play_it_again() -> None:
    target = target_of(flow_of(MARKED, served=True))
    upgrade = flow_of(MARKED, served=True, method="GET")
    upgrade.request.headers["upgrade"] = "websocket"
    fine = {"pooled": True, "played_by_us": True, "pool_is_open": True}
    assert why_not(target, **fine) == ""
    assert why_not(target, **fine | {"played_by_us": False}) == UNKNOWN
    assert why_not(target, **fine | {"pool_is_open": False}) == NO_POOL
    assert why_not(target, **fine | {"pooled": False, "pool_is_open": False}) == ""
    assert why_not(target_of(upgrade), **fine) == A_SOCKET


def test_the_length_is_that_of_what_is_sent() -> None:
    request = flow_of(MARKED, served=True).request
    request.headers["content-length"] = "99"
    request.headers["cookie"] = MARKED
    tidy(request, pooled=False)
    assert (request.headers["content-length"], "cookie" in request.headers) == ("7", True)
    tidy(request, pooled=True)
    assert "cookie" not in request.headers


def test_a_secret_that_was_put_in_is_not_kept_to_be_gone_back_to() -> None:
    flow = flow_of("Bearer nobody-may-see", served=False)
    flow.backup()
    mask_earlier(flow, FlowRedactor(watched=True))
    assert "nobody" not in repr(flow.get_state()["backup"])
    flow.revert()
    assert flow.request.headers["authorization"] == MARKED
