"""The other proxy: which modes lead through it, who is shown its password, and what is done about one that hangs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy import exceptions
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.http import HTTPFlow
from mitmproxy.options import Options
from mitmproxy.proxy.mode_specs import UpstreamMode
from mitmproxy.test import taddons, tflow

from addons.attempts.patches.dialing import CONNECT_SECONDS
from addons.attempts.protocol import Loss, Step
from addons.attempts.selftest import ASK, CONNECTED, FINE, LIMITED, PLAIN, THROUGH, TUNNEL, US, Rehearsal, Script
from addons.upstream_proxy import ModeConflict, ThisVeryProxy, UpstreamProxy, check
from config.network.proxy_address import read_proxy
from tests.rows import all_rows

PROXY = read_proxy("http://ann:s3cret@proxy.test:3128")


@pytest.fixture
def options() -> Iterator[Options]:
    with taddons.context(Proxyserver()) as context:
        yield context.options


# --- modes -----------------------------------------------------------------------------------------------------------


@all_rows(
    "modes",
    [
        ["regular"],
        ["regular@8080", "regular@127.0.0.1:8081"],
        ["upstream:http://proxy.test:3128"],
        ["upstream:proxy.test:3128@9"],
        [],
    ],
)
def test_modes_that_lead_through_it(modes: list[str]) -> None:
    assert check(PROXY, modes, ()) is None


@all_rows(
    "mode",
    [
        "upstream:http://other.test:3128",
        "upstream:http://proxy.test:3129",
        "upstream:https://proxy.test:3128",
        "reverse:https://chatgpt.com",
        "socks5",
        "transparent",
        "local",
    ],
)
def test_a_mode_that_goes_another_way_is_refused(mode: str) -> None:
    with pytest.raises(ModeConflict, match=r"does not lead through upstream_proxy \(proxy.test:3128\)") as told:
        check(PROXY, ["regular", mode], ())
    assert "s3cret" not in str(told.value)


@all_rows(
    ("host", "listening"), [("localhost", "127.0.0.1"), ("::1", "::1"), ("10.0.0.1", "10.0.0.1"), ("127.0.0.1", "")]
)
def test_our_own_address_is_refused(host: str, listening: str) -> None:
    proxy = read_proxy(f"http://[{host}]:8118" if ":" in host else f"http://{host}:8118")
    check(proxy, ["regular"], [(listening, 8119, 0, 0)])
    with pytest.raises(ThisVeryProxy, match="where this proxy itself listens"):
        check(proxy, ["regular"], [(listening, 8119, 0, 0), (listening, 8118)])


def test_a_mode_that_is_changed_later_is_refused_and_undone(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", "http://ann:s3cret@proxy.test:3128")

    async def run() -> None:
        addon = UpstreamProxy()
        with taddons.context(Proxyserver(), addon) as context:
            addon.running()
            with pytest.raises(exceptions.OptionsError, match="does not lead through upstream_proxy"):
                context.options.update(mode=["socks5"])
            assert context.options.mode == ["regular"]
            context.options.update(mode=["upstream:http://proxy.test:3128"])

    asyncio.run(run())


# --- who is shown its password ---------------------------------------------------------------------------------------


def connecting(address: tuple[str, int]) -> HTTPFlow:
    flow = tflow.tflow()
    flow.server_conn = Server(address=address)
    return flow


def loaded(monkeypatch: pytest.MonkeyPatch, setting: str) -> UpstreamProxy:
    monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", setting)
    addon = UpstreamProxy()
    with taddons.context() as context:
        context.master.addons.add(addon)
    return addon


def test_the_password_goes_to_that_proxy_and_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    addon = loaded(monkeypatch, "http://ann:s3cret@proxy.test:3128")
    right, wrong = connecting(("proxy.test", 3128)), connecting(("other.test", 3128))
    addon.http_connect_upstream(right)
    addon.http_connect_upstream(wrong)
    assert right.request.headers["proxy-authorization"] == PROXY.authorization
    assert "proxy-authorization" not in wrong.request.headers


@pytest.mark.parametrize("setting", ["", "http://proxy.test:3128", "no address"])
def test_without_a_password_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """Settings that cannot be read are told where the pool is opened; here they are no proxy."""
    flow = connecting(("proxy.test", 3128))
    loaded(monkeypatch, setting).http_connect_upstream(flow)
    assert "proxy-authorization" not in flow.request.headers


def test_without_a_setting_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for our own calls: whoever cannot get out without a proxy has set that variable already."""
    for name in ("https_proxy", "all_proxy", "no_proxy", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:s3cret@proxy.test:3128")
    addon = loaded(monkeypatch, "")
    assert (addon.way.proxy, addon.way.named_by) == (PROXY, "HTTPS_PROXY")
    assert addon.mode == UpstreamMode.parse("upstream:http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "chatgpt.com")
    assert loaded(monkeypatch, "").proxy is None
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:8118")
    assert loaded(monkeypatch, "").proxy is None


def test_what_mitmproxy_was_told_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    addon = UpstreamProxy()
    with taddons.context() as context:
        context.options.update(mode=["socks5"])
        context.master.addons.add(addon)
    assert (addon.proxy, addon.mode) == (None, None)


def test_a_plain_request_shows_it_on_the_wire_only(options: Options) -> None:
    rehearsal = Rehearsal(options, Script("one"), through=THROUGH)
    rehearsal.says(rehearsal.client, PLAIN)
    assert f"proxy-authorization: {US.authorization}\r\n".encode() in rehearsal.sent[rehearsal.servers[0]]
    (stream,) = rehearsal.layer.streams.values()
    assert "proxy-authorization" not in stream.flow.request.headers


# --- a proxy that hangs ----------------------------------------------------------------------------------------------


class Telling(Script):
    """Notes what it is told of a lost attempt."""

    patient = 30.0

    def lost(self, loss: Loss, message: str) -> Step:
        self.history.append(message)
        return super().lost(loss, message)

    def patience(self) -> float:
        return self.patient


def hanging(options: Options, script: Telling) -> Rehearsal:
    rehearsal = Rehearsal(options, script, through=THROUGH)
    for said in (TUNNEL, ASK):
        rehearsal.says(rehearsal.client, said)
    return rehearsal


@pytest.mark.parametrize(("patient", "seconds"), [(30.0, CONNECT_SECONDS), (0.0, CONNECT_SECONDS), (6.0, 6.0)])
def test_a_proxy_that_says_nothing_to_connect_is_left(options: Options, patient: float, seconds: float) -> None:
    script = Telling("one", "two")
    script.patient = patient
    rehearsal = hanging(options, script)
    (wakeup,) = rehearsal.wakeups
    assert wakeup.delay == seconds
    rehearsal.wake()
    assert script.history[0] == (
        f"no connection within {seconds:.0f} s on the way through the proxy proxy.test:3128, check upstream_proxy"
    )
    assert rehearsal.servers[0].state is ConnectionState.CLOSED
    for said in (CONNECTED, FINE):
        rehearsal.says(rehearsal.servers[1], said)
    assert rehearsal.sent[rehearsal.client].endswith(b"fine")


def test_a_connection_that_came_about_in_time_is_not_disturbed(options: Options) -> None:
    script = Telling("one", "two")
    rehearsal = hanging(options, script)
    rehearsal.says(rehearsal.servers[0], CONNECTED)
    first, *_ = rehearsal.wakeups
    rehearsal.wakeups.append(first)
    rehearsal.wake()
    rehearsal.says(rehearsal.servers[0], FINE)
    assert rehearsal.sent[rehearsal.client].endswith(b"fine")
    assert script.history == ["head 200", "delivering", "finished"]


def test_a_tunnel_that_breaks_later_is_like_any_connection_that_breaks(options: Options) -> None:
    script = Telling("one", "two")
    rehearsal = hanging(options, script)
    rehearsal.says(rehearsal.servers[0], CONNECTED)
    rehearsal.leaves(rehearsal.servers[0])
    for said in (CONNECTED, LIMITED):
        rehearsal.says(rehearsal.servers[1], said)
    assert script.history[1] == "lost BROKEN"


def test_a_direct_connection_has_its_time_too_and_one_that_is_there_takes_none(options: Options) -> None:
    rehearsal = Rehearsal(options, Telling("one"))
    rehearsal.says(rehearsal.client, ASK)
    connecting, left = [each.delay for each in rehearsal.wakeups]
    assert connecting == CONNECT_SECONDS
    assert left == pytest.approx(30.0 - CONNECT_SECONDS, abs=1.0), "until the time for the answer's head is over"


def test_the_mode_is_that_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    addon = loaded(monkeypatch, "https://ann:s3cret@[::1]:3128")
    assert addon.mode is not None
    assert isinstance(addon.mode, UpstreamMode)
    assert (addon.mode.scheme, addon.mode.address) == ("https", ("::1", 3128))
    assert "s3cret" not in addon.mode.full_spec
