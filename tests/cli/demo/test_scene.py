"""An act tells what each thread got from whom; tests/cli/demo/test_play.py plays whole ones."""

from dataclasses import replace
from pathlib import Path

import pytest

from accounts.store.store import Store
from cli.demo import scene
from cli.demo.scene import PROMPTS, Act, DemoStep, DemoTurn, Door, told
from cli.running.processes import Finished
from standin import SeenRequest, StandIn

pytestmark = pytest.mark.usefixtures("warm_starts")
UPGRADE = SeenRequest(
    method="GET",
    host="chatgpt.com",
    path=scene.GENERATION,
    headers=(("thread-id", "t1"),),
    body=b"",
    raw_body_length=0,
    http_version="1.1",
    account_id="spent",
    user_id="u",
    authorization=None,
    connection=1,
    status=429,
    websocket=True,
    messages=(),
    disconnected=False,
    closed=True,
    close_code=None,
)
ANSWERED = replace(UPGRADE, account_id="good", status=101, messages=({"input": PROMPTS[1]},), closed=False)
DONE = (Finished(0, "hi", ""), 1.0)


def test_a_thread_is_its_clients_as_soon_as_a_message_says_its_prompt() -> None:
    """The second client's thread came first; the others have sent nothing yet."""
    first, second, third = told("WebSocket", [UPGRADE, ANSWERED], [None, DONE, None])
    assert first.steps == (DemoStep("spent", 429), DemoStep("good", 101))
    assert (first.number, first.streams, first.finished) == (1, True, DONE[0])
    assert (second.steps, second.finished, third.finished) == ((), None, None)


def test_a_refused_upgrade_alone_is_no_stream() -> None:
    """Whose thread it is was not said; whoever has said nothing else gets it."""
    (only,) = told("WebSocket", [UPGRADE], [DONE])
    assert (only.streams, only.finished) == (False, DONE[0])


def test_an_http_request_says_its_prompt_in_the_body() -> None:
    seen = replace(UPGRADE, body=PROMPTS[2].encode(), status=200, websocket=False)
    turns = told("HTTP", [seen], [None, None, DONE])
    assert (turns[0].streams, turns[0].finished) == (True, DONE[0])


def test_a_thread_too_many_is_left_out() -> None:
    """There are as many turns as clients, whatever else arrives."""
    stranger = replace(UPGRADE, headers=(("thread-id", "stranger"),))
    assert len(told("WebSocket", [ANSWERED, UPGRADE, stranger], [None, DONE])) == 2
    assert len(told("WebSocket", [], [None, None, None])) == 3


def test_a_rotation_is_a_refusal_after_which_another_account_was_asked() -> None:
    steps = (DemoStep("a", 429), DemoStep("b", 401), DemoStep("c", None))
    assert DemoTurn(transport="HTTP", number=1, steps=steps).rotations == 2
    assert DemoTurn(transport="HTTP", number=1, steps=steps[:1]).rotations == 0
    assert [str(step) for step in steps] == ["a 429 at its limit", "b 401 signed out", "c …"]


def test_the_pool_is_made_of_imported_logins_and_holds_no_login_file(tmp_path: Path) -> None:
    home = tmp_path / "rotate"
    with StandIn() as upstream:
        scene.fill_pool(home, upstream)
    assert not (home / "login.json").exists()
    with Store(home / "pool.db") as store:
        assert {account.label for account in store.accounts()} == {"spent", "revoked", "good", "spare"}


def test_an_act_does_not_take_over_a_folder_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "act").mkdir()
    with pytest.raises(FileExistsError), Act(tmp_path / "act", "HTTP", "sse"):
        pass


def test_a_client_that_never_asks_ends_the_act_with_its_words(tmp_path: Path) -> None:
    """The turns end with the clients; nothing waits for an answer that nobody asked for."""
    shown: list[int] = []

    def gives_up(door: Door, prompt: str) -> Finished:
        assert door.folder.is_dir()
        return Finished(1, "", f"no {prompt}")

    with Act(tmp_path / "act", "HTTP", "sse") as act:
        turns = act.play(gives_up, lambda turns: shown.append(len(turns)))
    assert sorted(one.finished.err for one in turns if one.finished) == sorted(f"no {prompt}" for prompt in PROMPTS)
    assert set(shown) <= {3}
