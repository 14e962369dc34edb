"""The official CLI needs no variable for the CA where the system's trust store has it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from certs import ca
from cli.commands.setup.trust import install
from cli.running.trust_stores import chosen, this_machine
from cli.ui.asking import SaidYes
from config import clock
from tests.certs.machines import PrivateRoots, real_files, why_not
from tests.e2e.codex import finish
from tests.e2e.conftest import Scene, SetUp
from tests.e2e.test_rotation import SAY_HI, unnoticed

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture
def confdir(tmp_path: Path) -> Path:
    """Our CA, which cannot vouch for other hosts."""
    folder = tmp_path / "ca"
    ca.create(folder, clock.now())
    return folder


@pytest.fixture
def roots(tmp_path: Path) -> Iterator[PrivateRoots]:
    """A trust store that nobody else sees; the real one is looked at before and after."""
    before = real_files()
    yield PrivateRoots(tmp_path / "private")
    assert real_files() == before


def client_of(scene: Scene, roots: PrivateRoots) -> Scene:
    """The same with a client that is told of no CA and has only that trust store."""
    return replace(scene, codex=replace(scene.codex, inside=roots.inside, told=False))


def test_a_turn_with_the_ca_in_the_system_s_store(set_up: SetUp, transport: str, confdir: Path, roots: PrivateRoots):
    """Complete, unnoticed, by a managed account: HTTPS_PROXY is all that the client gets."""
    machine = this_machine()
    inside = replace(machine, run=lambda argv: machine.run([*roots.inside, *argv]), files=roots.folder)
    said = install(confdir, chosen(inside, system=True, nss=False), SaidYes(), clock.now())
    assert said.exit_code == 0, said.notes
    scene = client_of(set_up(), roots)
    assert unnoticed(scene.codex.run(SAY_HI), "Hello from acc-1.", transport)
    assert set(scene.served_by()) == {"acc-1"}


@pytest.mark.parametrize("transport", ["sse"], indirect=True)
def test_without_it_the_client_believes_nothing(set_up: SetUp, roots: PrivateRoots):
    """The control of the test above. The client goes on for half a minute, so it is stopped."""
    scene = client_of(set_up(), roots)
    process = scene.codex.start(SAY_HI)
    try:
        scene.proxy.output.wait_for(f"TLS handshake failed.* does not trust .* {re.escape('chatgpt.com')} ")
    finally:
        process.terminate()
        finish(process)
    assert scene.served_by() == []
