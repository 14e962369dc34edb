"""Where the client's workspace is served it hears from the provider, and from us if its own login is refused there."""

import pytest

from tests.proxy.clients import http1
from tests.proxy.conftest import Bench

PATH = "/backend-api/wham/accounts/check"


def asked(bench: Bench, **more: str) -> dict[str, object]:
    with http1(bench.proxy) as client:
        answer = client.get(PATH, headers=bench.headers(**more))
    assert answer.status_code == 200
    return dict(answer.json())


def test_a_login_that_is_good_gets_the_providers_own_words(bench: Bench) -> None:
    assert asked(bench)["default_account_id"] == bench.home.account_id
    assert bench.served_by(PATH) == ["own"]


@pytest.mark.parametrize("token", ["Bearer nobody-knows-it", "Bearer a.b.c"])
def test_one_that_is_refused_can_go_on_to_the_model(bench: Bench, token: str) -> None:
    free = "NO_CONSTRAINT"
    entry = {"id": bench.home.account_id, "workspace_backend_origin": free, "account_routing_override": free}
    assert asked(bench, authorization=token) == {"accounts": [entry]}
    assert asked(bench, authorization=token) == {"accounts": [entry]}
    bench.proxy.output.wait_for("own login was refused .401.")
    assert "".join(bench.proxy.output._lines).count("own login was refused") == 1


@pytest.mark.parametrize("path", ["/backend-api/me", "/backend-api/wham/usage"])
def test_nothing_else_is_answered_for_it(bench: Bench, path: str) -> None:
    with http1(bench.proxy) as client:
        assert client.get(path, headers=bench.headers(authorization="Bearer nobody-knows-it")).status_code == 401
