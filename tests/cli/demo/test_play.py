"""The demo plays the main job. What it needs is on this machine; the client may be missing."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import certifi
import pytest

from cli.demo import play
from cli.demo.scene import ANSWER, DemoStep, DemoTurn, Door
from cli.running.processes import Finished
from tests.harness import eventually, free_port, plain_environment

CODEX_ROTATE = Path(sys.executable).parent / "codex-rotate"
pytestmark = pytest.mark.usefixtures("warm_starts")


def turn(finished: Finished | None, *steps: tuple[str, int]) -> DemoTurn:
    said = tuple(DemoStep(*step) for step in steps)
    return DemoTurn(transport="HTTP", number=1, steps=said, finished=finished, seconds=1.0)


def test_a_proxy_that_is_not_there_is_told_with_the_built_in_clients_words(tmp_path: Path) -> None:
    """As with the official one: an exit code and what it said, and no end of the demo by a traceback."""
    login = {"tokens": {"access_token": "t", "account_id": "a"}}
    proxy, ca_file = f"http://127.0.0.1:{free_port()}", Path(certifi.where())
    for option in play.TRANSPORTS.values():
        door = Door(proxy=proxy, option=option, ca_file=ca_file, folder=tmp_path, home_login=login)
        finished = play.ask_built_in(door, "hi")
        assert finished.code == 1
        assert "refused" in finished.err


def test_the_client_is_looked_for_by_name_first() -> None:
    """CODEX_BIN beats everything that is installed."""
    assert play.find_client({"CODEX_BIN": "/opt/codex"}) == "/opt/codex"


def npx(said: str, *, refusing: str) -> tuple[str, ...]:
    """A program that says where it has put the client, unless it gets this option."""
    return (sys.executable, "-c", f"import sys; print({said!r}); sys.exit({refusing!r} in sys.argv)")


@pytest.fixture
def client(tmp_path: Path) -> Path:
    codex = tmp_path / "codex"
    codex.write_text("#!/bin/sh\n")
    codex.chmod(0o755)
    return codex


def test_what_npx_has_fetched_before_is_taken_in_silence(client: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says where by its PATH; the client is started without it."""
    assert play.from_npx(npx(str(client.parent), refusing="--yes"), os.environ) == str(client)
    assert capsys.readouterr() == ("", "")


def test_a_download_is_announced_with_its_size_and_the_way_around(
    client: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, so that --json stays one value; before it begins."""
    assert play.from_npx(npx(str(client.parent), refusing="--no"), os.environ) == str(client)
    out, err = capsys.readouterr()
    assert out == ""
    assert "170 MB to download" in err
    assert "demo --built-in-client" in err


@pytest.mark.parametrize(("said", "refusing"), [("/nowhere", "neither"), ("", "--")])
def test_where_npx_cannot_fetch_the_client_the_built_in_one_plays(
    said: str, refusing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play.from_npx(npx(said, refusing=refusing), os.environ) == ""
    assert "the built-in one plays" in capsys.readouterr().err


def test_after_an_act_that_failed_the_next_one_is_not_played(tmp_path: Path) -> None:
    """A client that does not work would fail in every act."""
    turns = play.play(tmp_path, play.TRANSPORTS, sys.executable, None)
    assert {one.transport for one in turns} == {"WebSocket"}
    assert play.report(turns, sys.executable).exit_code == 1


def test_a_turn_that_failed_is_told_with_the_clients_words_and_exit_code_1() -> None:
    result = play.report([turn(Finished(1, "", "no route"))], "")
    assert result.exit_code == 1
    assert "no route" in result.message


def test_an_answer_that_did_not_come_from_upstream_is_no_success() -> None:
    assert play.report([turn(Finished(0, "hi", ""))], "codex").exit_code == 1
    assert play.report([], "codex").exit_code == 1


def test_what_the_user_saw_stands_beside_what_happened() -> None:
    result = play.report([turn(Finished(0, "hi\n", ""), ("a", 429), ("b", 200))], "codex")
    assert result.exit_code == 0
    assert result.table is not None
    assert result.table.rows == (("HTTP 1", "hi", "1.0 s", "a 429 at its limit → b 200 answers"),)
    assert "1 answer, no error" in result.message
    assert "1 x at its limit; 1 rotation." in result.message


def test_the_built_in_client_plays_three_turns_at_once_over_each_transport() -> None:
    """A spent and a revoked account are passed over, and every turn is answered. As JSON it is one value and nothing is
    drawn. The client that was named is not asked for."""
    done = subprocess.run(
        [CODEX_ROTATE, "demo", "--built-in-client", "--json"],
        env={**plain_environment(), "CODEX_BIN": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["client"] == "built-in"
    assert told["rotations"] >= 4
    turns = told["turns"]
    assert [(one["exit_code"], one["answer"]) for one in turns] == [(0, ANSWER)] * 6
    assert [one["transport"] for one in turns] == ["WebSocket"] * 3 + ["HTTP"] * 3
    assert {one["upstream"][-1].split()[1] for one in turns[:3]} == {"101"}
    assert {one["upstream"][-1].split()[1] for one in turns[3:]} == {"200"}
    for transport in play.TRANSPORTS:
        steps = {step for one in turns if one["transport"] == transport for step in one["upstream"]}
        assert {"spent 429 at its limit", "revoked 401 signed out"} <= steps


@pytest.mark.skipif(os.name != "posix", reason="signals are posix")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    """Its programs end and its folders go, whichever way it is stopped, which is taken like Ctrl-C."""
    temporary = tmp_path / "a temporary folder"
    temporary.mkdir()
    running = subprocess.Popen(
        [CODEX_ROTATE, "demo", "--built-in-client"],
        env={**plain_environment(), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert eventually(lambda: list(temporary.rglob("mitmproxy-ca-cert.pem")), seconds=60)
    running.send_signal(number)
    said, _ = running.communicate(timeout=60)  # the pipe ends when the last program that holds it has
    assert running.returncode == 130
    assert "Stopped before it was done" in said
    assert list(temporary.iterdir()) == []
