"""The full-screen client hears of the pool's limits: no warning and no question while the pool can serve, although
next to nothing is left of its own login, and of the account that serves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.running.client_command import WITHOUT_DAEMON
from standin.accounts import Window
from tests.e2e.conftest import ONE_TRANSPORT
from tests.e2e.desk import Desk, open_desk
from tests.e2e.terminal import Screen
from tests.e2e.test_virtual_login import give_login, serving
from tests.harness import write_login

SPENT = Window(used_percent=99.5, minutes=300, resets_in=3600)
SPENT_FOR_LONG = Window(used_percent=99.5, minutes=10_080, resets_in=86_400)
TROUBLE = ("<1%", "less than", "Approaching rate limits", "Switch to", "usage limit")


@pytest.fixture
def desk(binary: Path, transport: str, tmp_path: Path) -> Iterator[Desk]:
    """The account that serves is all but spent, as is the client's own login; another one is not."""
    with open_desk(binary, tmp_path / "a desk", transport, cold=False) as desk:
        own = desk.upstream.add_account("acc-own", expires_in=3600)
        write_login(own, desk.folder / "client" / "auth.json")
        for account in (desk.accounts[0], own):
            account.limits(primary=SPENT, secondary=SPENT_FOR_LONG)
        desk.rotate("priority", "acc-1", "10")
        desk.rotate("config", "set", "defer_percent", "100")
        desk.trust_folder()
        yield desk


def test_with_a_login_of_ours(desk: Desk) -> None:
    give_login(desk, "ann")
    sees_no_limits(desk)
    assert set(desk.served_by()) == {"acc-1"}


@ONE_TRANSPORT
def test_with_a_login_of_its_own_where_the_owner_says_so(desk: Desk) -> None:
    desk.rotate("config", "set", "show_pool", "pool")
    sees_no_limits(desk)
    assert set(desk.served_by()) == {"acc-1"}
    assert desk.upstream.requests_to("/backend-api/wham/usage")


@ONE_TRANSPORT
def test_without_that_it_proposes_a_smaller_model(desk: Desk) -> None:
    """What the others are about: with the switch preselected."""
    with full_screen(desk) as screen:
        screen.wait_for("Switch to")
        assert "Switch to" in screen.text


def sees_no_limits(desk: Desk) -> None:
    with full_screen(desk) as screen:
        screen.ask("/status")
        screen.wait_for("100% left")  # the other one has not been used yet
        screen.ask("/quit")
        assert screen.ended() == 0
    assert not [words for words in TROUBLE if words in screen.text]


@contextmanager
def full_screen(desk: Desk) -> Iterator[Screen]:
    """The client, which has had its first answer."""
    with serving(desk) as told:
        environ = desk.environ | told | {"NO_PROXY": "localhost,127.0.0.1,::1"}
        screen = Screen([str(desk.binary), *WITHOUT_DAEMON], environ, desk.folder / "work")
        try:
            screen.wait_for("Ask Codex to do anything")
            screen.ask("Say hello.")
            screen.wait_for("Hello from acc-1.")
            yield screen
        finally:
            screen.close()
