"""Who looks at the log of `mitmdump -s rotate.py` sees one line for each turn, at mitmproxy's own level for news."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.people.keys import new_secret
from accounts.store.store import Store
from config import clock, proxy_files
from standin import Account, Fault, FaultKind, StandIn
from tests.harness import Proxy, eventually, options, put
from tests.proxy.clients import MODELS, Socket, http1, turn1, turn_ws

THREAD = "0199a3f2-7c1e-7a40-9d3b-5f0c2e8b1a44"
STAMP = re.compile(r"\[\d\d:\d\d:\d\d\.\d{3}\] ")


class Announced(Proxy):
    """Found as commands find it: it may be told to say nothing."""

    @property
    def port(self) -> int:
        folder = self.home / "proxies"
        assert eventually(lambda: proxy_files.announced(folder), 60), self.output.text()
        return int(proxy_files.announced(folder)[0].url.rpartition(":")[2])


class Scene:
    """A proxy that says what it says, and accounts that are not named like an id, which would be masked."""

    def __init__(self, proxy: Proxy, upstream: StandIn, own: Account) -> None:
        self.proxy = proxy
        self.upstream = upstream
        self.headers = {
            "authorization": f"Bearer {own.access_token}",
            "originator": "codex_exec",
            "thread-id": THREAD,
            "x-codex-routing-hint": "model=gpt-5.5-codex",
            "content-type": "application/json",
        }

    def limited(self, *, in_band: bool = False) -> None:
        self.upstream.fault("id-of-work", Fault(FaultKind.USAGE_LIMIT, resets_in=3600, in_band=in_band), times=1)

    def turns(self) -> list[str]:
        """The lines about turns, when the proxy has ended."""
        lines = [STAMP.sub("", each) for each in self.proxy.stop().splitlines()]
        return [each for each in lines if each.startswith(("codex_exec ", "ann "))]


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path, confdir: Path) -> Iterator[Scene]:
    home = tmp_path / "rotate"
    home.mkdir(mode=0o700)
    with StandIn() as upstream, Store(home / "pool.db") as store:
        for order, label in enumerate(("work", "spare")):
            key = put(store, upstream.add_account(f"id-of-{label}"), tmp_path, order)
            store.update_account(key, label=label).result()
        flags = options(**getattr(request, "param", {}))
        with Announced(upstream, home, confdir, flags) as proxy:
            assert proxy.port
            yield Scene(proxy, upstream, upstream.add_account("id-of-own"))


def over_http(scene: Scene) -> None:
    with http1(scene.proxy) as client:
        assert turn1(client, scene.headers).completed


def test_one_line_for_each_turn_and_none_for_anything_else(scene: Scene) -> None:
    """Who asked, which thread and model, whose answer, how long, and what it cost; no list of models, no upgrade."""
    over_http(scene)
    with http1(scene.proxy) as client:
        assert client.get(MODELS, headers=scene.headers).status_code == 200
    with Socket(scene.proxy, scene.headers) as socket:
        assert socket.turn(generate=False, input=[]).completed
        assert socket.turn().completed
        assert socket.turn().completed
    turns = scene.turns()
    tokens = r"\d+ in( \(\d+ cached\))? \d+ out"
    assert len(turns) == 3
    for each in turns:
        assert re.fullmatch(rf"codex_exec 2e8b1a44 gpt-5\.5-codex  work  ok  \d+\.\d s  {tokens}", each), each


def test_a_rotation_is_in_the_line(scene: Scene) -> None:
    scene.limited()
    over_http(scene)
    (told,) = scene.turns()
    assert "  work 429 usage limit → spare  ok  " in told


def test_a_turn_that_goes_on_in_another_socket_is_one_line(scene: Scene) -> None:
    scene.limited(in_band=True)
    assert turn_ws(scene.proxy, scene.headers).completed
    (told,) = scene.turns()
    assert "  work usage limit → spare  ok  " in told


def test_nobody_left(scene: Scene) -> None:
    for label in ("work", "spare"):
        scene.upstream.fault(f"id-of-{label}", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    with http1(scene.proxy) as client:
        assert turn1(client, scene.headers).status == 429
    (told,) = scene.turns() or [scene.proxy.output.text()]
    assert "work 429 usage limit → spare 429 usage limit → nobody left  refused by codex-rotate" in told


def test_an_account_that_was_signed_out_is_a_warning_with_a_way_out(scene: Scene) -> None:
    """Once: the next turn does not ask it any more, and nobody wants to hear it again."""
    scene.upstream.fault("id-of-work", Fault(FaultKind.UNAUTHORIZED_INVALIDATED))
    over_http(scene)
    over_http(scene)
    said = scene.proxy.stop()
    assert said.count("codex-rotate: work was signed out by the provider. Run `codex-rotate login`") == 1


@pytest.mark.parametrize("scene", [{"termlog_verbosity": "warn"}], indirect=True)
def test_mitmproxy_s_own_level_hides_it(scene: Scene) -> None:
    scene.limited()
    over_http(scene)
    said = scene.proxy.stop() if scene.turns() == [] else "a turn was told"
    assert "codex-rotate" not in said


def test_each_failed_attempt_is_for_those_who_look_closely(scene: Scene) -> None:
    scene.limited()
    over_http(scene)
    assert "usage_limit" not in scene.proxy.stop()


@pytest.mark.parametrize("scene", [{"termlog_verbosity": "debug"}], indirect=True)
def test_and_they_see_it(scene: Scene) -> None:
    scene.limited()
    over_http(scene)
    assert "codex-rotate: work: usage_limit (429 usage_limit_reached)" in scene.proxy.stop()


@pytest.mark.parametrize("scene", [{"flow_detail": 0}], indirect=True)
def test_the_name_of_a_client_s_key_is_who_asked(scene: Scene) -> None:
    secret = new_secret()
    with Store(scene.proxy.home / "pool.db") as store:
        store.put_client_key("ann", secret, clock.now()).result()
    with http1(scene.proxy, says=f"-:{secret}") as client:
        assert turn1(client, scene.headers).completed
    assert [each.partition(" ")[0] for each in scene.turns()] == ["ann"]
    assert secret not in scene.proxy.output.text()
