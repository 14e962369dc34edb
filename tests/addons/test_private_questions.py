"""The owner's commands are answered on a socket of their own, as long as the proxy wants."""

import asyncio
from pathlib import Path

import pytest

from addons.private_questions import PrivateQuestions
from config import private_socket

pytestmark = pytest.mark.skipif(not private_socket.usable(), reason="this system has no such sockets")


def test_a_line_is_answered_and_nothing_after_the_end(tmp_path: Path) -> None:
    async def talk() -> list[bytes]:
        questions = PrivateQuestions(lambda key: f"told {key}" if key != "no" else "")
        place = Path(questions.open(tmp_path / "p"))
        said = [await asyncio.to_thread(private_socket.ask, place, each) for each in (b"key", b"no", b"x" * 100_000)]
        questions.close()
        return said

    assert asyncio.run(talk()) == [b"told key", b"", b""]
    assert list((tmp_path / "p").iterdir()) == []


def test_where_there_can_be_none_nothing_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "a file"
    folder.write_bytes(b"")
    assert PrivateQuestions(str).open(folder) == ""
    questions = PrivateQuestions(str)
    questions.close()
    assert list(tmp_path.iterdir()) == [folder]


def test_a_word_asks_for_something_else_than_a_key_does(tmp_path: Path) -> None:
    async def talk() -> list[bytes]:
        questions = PrivateQuestions(lambda key: f"told {key}", {"live": lambda: "[]"})
        place = Path(questions.open(tmp_path / "p"))
        said = [await asyncio.to_thread(private_socket.ask, place, each) for each in (b"live", b"lively", b"")]
        questions.close()
        return said

    assert asyncio.run(talk()) == [b"[]", b"told lively", b"told "]


def test_an_answer_that_fails_ends_the_question(tmp_path: Path) -> None:
    """Whoever asks does not wait for it, and the next one is answered."""

    def broken() -> str:
        raise RuntimeError("broken by a test")

    async def talk() -> list[bytes]:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        questions = PrivateQuestions(str, {"live": broken})
        place = Path(questions.open(tmp_path / "p"))
        said = [await asyncio.to_thread(private_socket.ask, place, each) for each in (b"live", b"key")]
        questions.close()
        return said

    assert asyncio.run(talk()) == [b"", b"key"]
