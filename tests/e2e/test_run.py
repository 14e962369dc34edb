"""`codex-rotate run` with the official CLI: complete turns, one account of one's own, the full-screen client."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.running.proxies import ask
from standin import Fault, FaultKind
from tests.e2e.conftest import ONE_TRANSPORT
from tests.e2e.desk import Desk, open_desk
from tests.e2e.terminal import Screen
from tests.e2e.test_rotation import SAY_HI, unnoticed


@pytest.fixture
def desk(binary: Path, transport: str, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(binary, tmp_path / "a desk", transport, cold=False) as opened:
        yield opened


def test_a_turn_with_nothing_but_run(desk: Desk, transport: str) -> None:
    """The proxy is started for it, and used again by the next one, which the next account answers."""
    assert unnoticed(desk.run(SAY_HI), "Hello from acc-1.", transport)
    (first,) = desk.proxies()
    assert set(desk.served_by()) == {"acc-1"}
    desk.upstream.fault("acc-1", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    assert unnoticed(desk.run(SAY_HI), "Hello from acc-2.", transport)
    assert desk.proxies() == [first]


@ONE_TRANSPORT
def test_an_account_for_this_launch_only(desk: Desk, transport: str) -> None:
    """It alone serves, and when it cannot, the client prints why; the next launch is free again."""
    assert unnoticed(desk.run("--account", "acc-2", SAY_HI), "Hello from acc-2.", transport)
    desk.upstream.fault("acc-2", Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
    refused = desk.run("--account", "acc-2", SAY_HI)
    assert refused.code == 1
    assert "The account that codex-rotate is pinned to cannot serve this request." in refused.err
    assert set(desk.served_by()) == {"acc-2"}
    assert unnoticed(desk.run(SAY_HI), "Hello from acc-1.", transport)


@ONE_TRANSPORT
def test_its_proxy_has_a_page(desk: Desk, transport: str) -> None:
    """For `codex-rotate open`, in another terminal."""
    assert unnoticed(desk.run(SAY_HI), "Hello from acc-1.", transport)
    (address,) = re.findall(r"http://\S+", desk.rotate("open", "--show"))
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        page = browser.get(address)
    assert page.status_code == 200
    assert "acc-1" in page.text


@ONE_TRANSPORT
def test_with_client_keys_run_has_one_of_its_own(desk: Desk, transport: str) -> None:
    """Every connection of the client shows it; beside that nothing changes."""
    desk.rotate("keys", "add", "ann")
    assert unnoticed(desk.run("--account", "acc-2", SAY_HI), "Hello from acc-2.", transport)
    (told,) = desk.proxies()
    assert ask(told.url).status == 407
    assert set(desk.served_by()) == {"acc-2"}


@pytest.mark.parametrize("transport", ["auto"], indirect=True)
def test_the_full_screen_client_does_its_work_itself(desk: Desk) -> None:
    """Its server in the background would keep the environment of its first start, with or without our proxy."""
    desk.trust_folder()
    command = [desk.rotate_program, "run", "--account", "acc-2", "--", str(desk.binary)]
    screen = Screen(command, desk.environ, desk.folder / "work")
    try:
        screen.wait_for("Ask Codex to do anything")
        screen.ask("Say hello.")
        screen.wait_for("Hello from acc-2.")
        assert set(desk.served_by()) == {"acc-2"}
        assert not (desk.folder / "client" / "packages").exists()
        screen.ask("/quit")
        assert screen.ended() == 0
    finally:
        screen.close()
