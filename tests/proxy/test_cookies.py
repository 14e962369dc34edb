"""The edge's cookies of one account never go with another's token, although the client has one jar for all."""

import pytest

from standin import FaultKind
from tests.proxy.clients import MODELS, RESPONSES, Headers, Http2, Socket, http1, turn1
from tests.proxy.conftest import Bench

EDGE = {"_cfuvid", "__cflb", "__cf_bm"}
"""What the stand-in sets. The first account has had an answer before each test."""


@pytest.fixture(autouse=True)
def answered(bench: Bench) -> None:
    """The first account has answered before, and set its cookies."""
    bench.calm()


def sent(bench: Bench) -> list[tuple[str | None, set[str], tuple[str, ...]]]:
    """Of each model request: who served it, the cookies it came with, and which of them were another account's."""
    asked = [seen for seen in bench.seen() if seen.path == RESPONSES]
    return list(
        zip(bench.served_by(), ({*seen.cookies} for seen in asked), (s.foreign_cookies for s in asked), strict=True)
    )


def test_http1_moves_to_another_account_without_the_first_ones(bench: Bench) -> None:
    """Then back, with its own."""
    with http1(bench.proxy) as client:
        client.cookies.set("mine", "1", domain="chatgpt.com")
        for _ in range(2):
            assert turn1(client, bench.headers()).completed
        bench.fault(bench.first, FaultKind.OVERLOADED, times=1)
        assert turn1(client, bench.headers()).text == bench.second.answer
        assert turn1(client, bench.headers(thread_id=f"{bench.thread}-more")).completed
    assert {*client.cookies} == {*EDGE, "mine"}
    assert sent(bench)[:4] == [
        *[("first", {*EDGE, "mine"}, ())] * 3,
        ("second", {"mine"}, ()),
    ]
    assert {foreign for _, _, foreign in sent(bench)} == {()}


def test_http2_moves_to_another_account_without_the_first_ones(bench: Bench) -> None:
    with Http2(bench.proxy) as client:
        jar = _cookie(client.turn(bench.headers()).headers)
        bench.fault(bench.first, FaultKind.OVERLOADED, times=1)
        assert client.turn(bench.headers(cookie=f"{jar}; mine=1")).text == bench.second.answer
    assert sent(bench) == [("first", EDGE, ()), ("first", {*EDGE, "mine"}, ()), ("second", {"mine"}, ())]


def test_a_socket_moves_to_another_account_without_the_first_ones(bench: Bench) -> None:
    with Socket(bench.proxy, bench.headers()) as client:
        jar = _cookie(client.upgrade.headers)
    bench.fault(bench.first, FaultKind.OVERLOADED, times=1)
    with Socket(bench.proxy, bench.headers(cookie=f"{jar}; mine=1")) as client:
        assert client.turn().text == bench.second.answer
    assert sent(bench) == [("first", EDGE, ()), ("first", {*EDGE, "mine"}, ()), ("second", {"mine"}, ())]


@pytest.mark.parametrize("path", ["/backend-api/wham/usage", "/backend-api/wham/settings/user"])
def test_nor_do_they_go_with_the_client_s_own_token(bench: Bench, path: str) -> None:
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers()).completed
        client.cookies.set("mine", "1", domain="chatgpt.com")
        assert client.get(path, headers=bench.headers()).status_code == 200
        assert client.get(MODELS, headers=bench.headers()).status_code == 200
    own, models = bench.seen()[-2:]
    assert (own.account_id, {*own.cookies}) == (bench.home.account_id, {"mine"})
    assert (bench.served_by(MODELS), {*models.cookies}) == (["first"], {*EDGE, "mine"})


def _cookie(headers: Headers) -> str:
    return headers["set-cookie"].partition(";")[0]
