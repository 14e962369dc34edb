"""The official CLI trusts our CA for its provider's hosts, and for no other host."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from certs import ca
from config import clock
from tests.e2e.codex import Codex, finish
from tests.e2e.conftest import Scene, SetUp
from tests.e2e.test_rotation import SAY_HI, unnoticed
from tests.harness import Proxy, eventually


@pytest.fixture
def confdir(tmp_path: Path) -> Path:
    """Our CA instead of the one that mitmproxy makes, for every proxy of this file."""
    folder = tmp_path / "ca"
    ca.create(folder, clock.now())
    return folder


def test_a_turn_with_only_this_ca_trusted(set_up: SetUp, transport: str, confdir: Path):
    """Nothing but CODEX_CA_CERTIFICATE points at it, and the proxy has made none of its own."""
    before = (confdir / ca.KEY_FILE).read_bytes()
    scene = set_up()
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", transport)
    assert set(scene.served_by()) == {"acc-1"}
    assert (confdir / ca.KEY_FILE).read_bytes() == before


def test_a_turn_after_a_renewal(set_up: SetUp, transport: str, confdir: Path):
    """A proxy and a client that start afterwards use the new one."""
    done = ca.renew(confdir, clock.now(), force=True)
    scene = set_up()
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", transport)
    assert ca.examine(confdir, clock.now()).certificate == done.certificate


@dataclass(frozen=True)
class Trusting(Codex):
    """The CLI with the file that `env` names, whichever proxy it is led through."""

    file: Path = field(kw_only=True)

    def environment(self) -> dict[str, str]:
        return super().environment() | {"CODEX_CA_CERTIFICATE": str(self.file)}


def test_a_client_gets_through_to_proxies_from_before_and_after_a_renewal(set_up: SetUp, transport: str, confdir: Path):
    """One that starts after it, with the file that `env` names: the older proxy still signs with the old key."""
    scene = set_up()
    scene.proxy.output.wait_for("accounts from", seconds=60)
    done = ca.renew(confdir, clock.now(), force=True)
    led = scene.codex
    with Proxy(scene.upstream, scene.proxy.home, confdir, scene.proxy.flags, env=scene.proxy.env) as newer:
        for proxy in (scene.proxy, newer):
            client = Trusting(led.binary, proxy, led.home, led.folder, file=done.trusted_file)
            assert unnoticed(client.run(SAY_HI), "Hello from acc-1.", transport)
    assert set(scene.served_by()) == {"acc-1"}


def elsewhere(host: str) -> list[str]:
    """Flags that let the client find its models at another host."""
    provider = {"name": "elsewhere", "base_url": f"https://{host}/v1", "wire_api": "responses"}
    settings = [f'model_providers.elsewhere.{name}="{value}"' for name, value in provider.items()]
    return [part for setting in ['model_provider="elsewhere"', *settings] for part in ("-c", setting)]


@pytest.mark.parametrize("transport", ["sse"], indirect=True)
@pytest.mark.parametrize(("host", "believed"), [("eu.chatgpt.com", True), ("api.openai.com", False)])
def test_the_client_believes_the_proxy_for_its_provider_only(set_up: SetUp, host: str, *, believed: bool):
    """The proxy intercepts everything. The client waits for a network that it can trust, so it is stopped."""
    scene = set_up(allow_hosts=".*")
    process = scene.codex.start(*elsewhere(host), SAY_HI)
    try:
        if believed:
            assert eventually(lambda: arrived(scene)), scene.proxy.output.text()
        else:
            scene.proxy.output.wait_for(f"TLS handshake failed.* does not trust .* {re.escape(host)} ")
    finally:
        process.terminate()
        finish(process)
    assert bool(arrived(scene)) is believed
    # a handshake that the end of the client cuts off is no verdict
    assert bool(re.search(rf"does not trust .* {re.escape(host)} ", scene.proxy.output.text())) is not believed


def arrived(scene: Scene) -> list[str]:
    return [seen.path for seen in scene.upstream.requests if seen.path.startswith("/v1/")]
