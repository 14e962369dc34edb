"""A client that may not use the proxy says so at once, in our words, and ends; nothing of it reaches the provider."""

from dataclasses import replace

import pytest

from accounts.people.keys import new_secret
from accounts.store.store import Store
from cli.demo.play import QUIET
from cli.running.client_command import WITHOUT_DAEMON
from config import clock
from tests.e2e.codex import Codex, Ran
from tests.e2e.conftest import ONE_TRANSPORT, Scene, SetUp
from tests.e2e.terminal import Screen
from tests.e2e.test_rotation import SAY_HI, unnoticed

WRONG = "This codex-rotate proxy does not know the key that this client shows"
MISSING = "This codex-rotate proxy serves clients with a key only, and this client shows none."
REMOVED = "The owner of this codex-rotate proxy has taken back the key of ann, which this client shows."
MOST_SECONDS = 8.0
"""From the start of the client to its end, on a machine that does other things: without the words it takes 23."""


def keyed(scene: Scene) -> str:
    """A pool with a key, which is ann's."""
    secret = new_secret()
    with Store(scene.proxy.home / "pool.db") as store:
        store.put_client_key("ann", secret, clock.now()).result()
    return secret


def take_back(scene: Scene) -> None:
    with Store(scene.proxy.home / "pool.db") as store:
        store.put_client_key("bob", new_secret(), clock.now()).result()
        store.remove_client_key("ann").result()


def timed(scene: Scene, says: str) -> tuple[Ran, float]:
    assert scene.proxy.port  # it has started
    began = clock.monotonic()
    ran = replace(scene.codex, says=says).run(SAY_HI)
    return ran, clock.monotonic() - began


@pytest.mark.parametrize(("says", "words"), [("-:guess", WRONG), ("", MISSING)], ids=["wrong", "missing"])
def test_exec_prints_why_and_ends(set_up: SetUp, says: str, words: str) -> None:
    scene = set_up()
    keyed(scene)
    ran, took = timed(scene, says)
    assert ran.code == 1
    assert words in ran.err
    assert "codex-rotate join FILE" in ran.err
    assert "Reconnecting" not in ran.err
    assert took < MOST_SECONDS
    assert scene.upstream.requests == ()


def test_exec_with_a_key_that_was_taken_back_says_so(set_up: SetUp, transport: str) -> None:
    scene = set_up()
    key = keyed(scene)
    assert unnoticed(timed(scene, f"-:{key}")[0], "Hello from acc-1.", transport)
    take_back(scene)
    seen = len(scene.upstream.requests)
    ran, took = timed(scene, f"-:{key}")
    assert (ran.code, REMOVED in ran.err) == (1, True)
    assert took < MOST_SECONDS
    assert len(scene.upstream.requests) == seen


@ONE_TRANSPORT
@pytest.mark.parametrize("says", ["-:guess", "", "removed"], ids=["wrong", "missing", "removed"])
def test_the_full_screen_client_shows_why(set_up: SetUp, says: str, transport: str) -> None:
    """At the first question, and it goes on asking to be told what to do."""
    scene = set_up()
    key = keyed(scene)
    assert scene.proxy.port
    if says == "removed":
        assert unnoticed(timed(scene, f"-:{key}")[0], "Hello from acc-1.", transport)
        take_back(scene)
        says, words = f"-:{key}", REMOVED
    else:
        words = WRONG if says else MISSING
    seen = len(scene.upstream.requests)
    screen = alone(replace(scene.codex, says=says))
    try:
        screen.wait_for("Ask Codex to do anything")
        screen.type("Say hello.")
        screen.wait_for("Say hello.")
        began = clock.monotonic()
        screen.type("\r")
        screen.wait_for(words[:60])
        assert clock.monotonic() - began < MOST_SECONDS
        screen.type("/quit")
        screen.wait_for("/quit")
        screen.type("\r")
        assert screen.ended() == 0
        assert "Reconnecting" not in screen.text
    finally:
        screen.close()
    assert len(scene.upstream.requests) == seen


def alone(codex: Codex) -> Screen:
    """The client by itself on a terminal."""
    trusted = f'[projects."{codex.folder.resolve()}"]\ntrust_level = "trusted"\n'
    quiet = "".join(f"{name} = {value}\n" for name, _, value in (each.partition("=") for each in QUIET))
    (codex.home / "config.toml").write_text(quiet + trusted)
    environ = {**codex.environment(), "TERM": "xterm-256color"}
    return Screen([str(codex.binary), *WITHOUT_DAEMON], environ, codex.folder)
