"""The demo plays the main job. What it needs is on this machine; the client may be missing."""

from pathlib import Path

import pytest

from cli import demo
from cli.demo import Played
from cli.processes import Finished


@pytest.mark.parametrize(("transport", "option"), [("HTTP", "sse")])
def test_without_the_official_cli_the_built_in_client_sees_the_good_accounts_answer(
    tmp_path: Path, transport: str, option: str
) -> None:
    """A spent and a revoked account are passed over in the same request."""
    played = demo.play(tmp_path / "demo", transport, option, client=())
    assert played.finished == Finished(0, "Hello! Nothing to see here.", "")
    assert played.happened == ("spent 429 at its limit", "revoked 401 signed out", "good 200 answered")


def test_the_client_is_looked_for_by_name_first() -> None:
    """CODEX_BIN beats everything that is installed."""
    assert demo.find_client({"CODEX_BIN": "/opt/codex"}) == ("/opt/codex",)


def test_a_turn_that_failed_is_told_with_the_clients_words_and_exit_code_1() -> None:
    bad = Played(transport="HTTP", finished=Finished(1, "", "no route"), seconds=1.0, happened=())
    result = demo.report([bad], ())
    assert result.exit_code == 1
    assert "no route" in result.message


def test_what_the_user_saw_stands_beside_what_happened() -> None:
    good = Played(transport="HTTP", finished=Finished(0, "hi\n", ""), seconds=1.0, happened=("a 429", "b 200"))
    result = demo.report([good], ("codex",))
    assert result.exit_code == 0
    assert result.table is not None
    assert result.table.rows == (("HTTP", "hi", "1.0 s", "a 429 → b 200"),)
