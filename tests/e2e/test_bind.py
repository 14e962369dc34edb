"""The block that `bind` writes is all that the official client needs: it has no variable of ours in its environment."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from certs import ca
from certs.environment import durable_environment, proxy_at, trusted_file
from cli.commands.setup.bind import bind, unbind
from cli.running.binding import BindMode, BoundFiles, answers
from config import clock, dotenv
from tests.e2e.codex import Codex
from tests.e2e.conftest import ONE_TRANSPORT, Scene, SetUp
from tests.e2e.test_rotation import SAY_HI, unnoticed
from tests.harness import Proxy

DEAD_PROXY = "http://127.0.0.1:1"
OF_OURS = ("HTTPS_PROXY", "NO_PROXY", "CODEX_CA_CERTIFICATE")


@pytest.fixture
def confdir(tmp_path: Path) -> Path:
    """Our CA, as `serve` has it."""
    folder = tmp_path / "authority"
    ca.create(folder, clock.now())
    return folder


@dataclass(frozen=True)
class Unled(Codex):
    """The CLI as an IDE starts it: nothing in its environment leads it to the proxy. `others` are the user's."""

    others: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        environ = {name: value for name, value in super().environment().items() if name not in OF_OURS}
        return environ | self.others


def unled(scene: Scene, **others: str) -> Unled:
    led = scene.codex
    return Unled(led.binary, led.proxy, led.home, led.folder, others=others)


def bound(scene: Scene, folder: Path, before: bytes | None = None, bundle: str = "bundle.pem") -> Path:
    """Bind the scene's client to its proxy, over what is in the file already."""
    file = scene.codex.home / ".env"
    if before is not None:
        file.write_bytes(before)
    places = BoundFiles(file=file, ca_certificate=trusted_file(scene.proxy.confdir), bundle=folder / bundle)
    assert bind(places, proxy_at(scene.proxy.url), {}, answers, BindMode()).exit_code == 0
    return file


def test_a_bound_client_needs_nothing_else(set_up: SetUp, transport: str, tmp_path: Path):
    """A whole turn over each transport, from the client's first request to the answer."""
    scene = set_up()
    bound(scene, tmp_path / "ca")
    assert unnoticed(unled(scene).run(SAY_HI), "Hello from acc-1.", transport)
    assert set(scene.served_by()) == {"acc-1"}
    checks = scene.upstream.requests_to("/backend-api/wham/accounts/check")
    assert {seen.account_id for seen in checks} == {"acc-home"}


@ONE_TRANSPORT
def test_a_bound_client_goes_on_after_a_renewal(set_up: SetUp, transport: str, confdir: Path):
    """It is not bound again: first its proxy still runs with the old key, then a new one has taken its port."""
    scene = set_up()
    scene.proxy.output.wait_for("accounts from", seconds=60)
    file = bound(scene, confdir)
    block, port = file.read_bytes(), scene.proxy.port
    done = ca.renew(confdir, clock.now(), force=True)
    assert unnoticed(unled(scene).run(SAY_HI), "Hello from acc-1.", transport)
    scene.proxy.stop()
    flags = [*scene.proxy.flags, "--listen-port", str(port)]
    with Proxy(scene.upstream, scene.proxy.home, confdir, flags, env=scene.proxy.env) as newer:
        assert newer.port == port
        assert unnoticed(unled(scene).run(SAY_HI), "Hello from acc-1.", transport)
    assert ca.examine(confdir, clock.now()).certificate == done.certificate
    assert file.read_bytes() == block


BEFORE = (
    b"# don't\r\nexport A='b c'\r\nB=x # \"\r\nC=",  # CRLF, remarks, no last line end
    b"\xef\xbb\xbfnot a setting\n\xff\nD='\n'\n",  # lines that the client cannot read
)


@ONE_TRANSPORT
def test_what_stands_before_the_block_does_not_hide_it(set_up: SetUp, tmp_path: Path):
    """The client's own reader finds the block, with a path full of characters that mean something to it."""
    scene = set_up()
    for before in BEFORE:
        file = bound(scene, tmp_path / "a folder", before, bundle='it\'s $HOME "ü" \\ #.pem')
        assert unled(scene).run(SAY_HI).out == "Hello from acc-1.\n"
        unbind(file)
        assert file.read_bytes() == before
        assert [each.name for each in file.parent.glob(".env*")] == [".env"]


@ONE_TRANSPORT
def test_the_block_wins_over_what_the_client_is_started_with(set_up: SetUp, tmp_path: Path):
    """A proxy or a bundle that the user's shell or IDE names."""
    scene = set_up()
    bound(scene, tmp_path / "ca")
    elsewhere = {"HTTPS_PROXY": DEAD_PROXY, "https_proxy": DEAD_PROXY, "SSL_CERT_FILE": str(tmp_path / "none.pem")}
    elsewhere |= {"ALL_PROXY": DEAD_PROXY, "NO_PROXY": "chatgpt.com", "no_proxy": "chatgpt.com"}
    elsewhere |= {"CODEX_CA_CERTIFICATE": str(scene.upstream.ca_file)}  # it adds to the block's bundle
    assert unled(scene, **elsewhere).run(SAY_HI).out == "Hello from acc-1.\n"


@pytest.mark.parametrize("transport", ["auto"])
def test_an_open_quote_hides_the_block(set_up: SetUp, tmp_path: Path):
    """Why `bind` refuses such a file: the client took the way its environment names, not that of the block."""
    scene = set_up()
    for before in (b"A=don't\n", b"A=1  # don't\n"):
        assert dotenv.open_quote(before) == 1
        hidden = dotenv.bind(before, durable_environment(DEAD_PROXY, tmp_path / "none.pem", ""))
        (scene.codex.home / ".env").write_bytes(hidden)
        assert scene.codex.run(SAY_HI).out == "Hello from acc-1.\n", before


@pytest.mark.parametrize("transport", ["auto"])
def test_after_unbind_a_proxy_that_is_gone_does_no_harm(set_up: SetUp, tmp_path: Path):
    """The client goes where its environment leads it again."""
    scene = set_up()
    file = scene.codex.home / ".env"
    places = BoundFiles(file=file, ca_certificate=scene.proxy.ca_file, bundle=tmp_path / "bundle.pem")
    bind(places, proxy_at(DEAD_PROXY), {}, answers, BindMode(force=True))
    unbind(file)
    assert not file.exists()
    assert scene.codex.run(SAY_HI).out == "Hello from acc-1.\n"
