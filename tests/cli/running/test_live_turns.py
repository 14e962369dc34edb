"""Every proxy of this home is asked on its private socket, and nobody else."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from accounts.views.live_turns import LiveTurn, as_json
from addons.private_questions import PrivateQuestions
from cli.running.live_turns import live_turns
from config import paths, private_socket, proxy_files
from tests.builders import NOW

pytestmark = pytest.mark.skipif(not private_socket.usable(), reason="this system has no such sockets")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {paths.HOME: str(tmp_path / "h")}


def announced(environ: dict[str, str], pid: int, socket: str) -> None:
    told = proxy_files.ProxyInfo(
        url=f"http://127.0.0.1:{pid}", pid=pid, home=environ[paths.HOME], certificate="", version="", socket=socket
    )
    proxy_files.announce(told, proxy_files.folder(environ))


def asked(environ: dict[str, str], *answers: Callable[[], str]) -> tuple[LiveTurn, ...]:
    """What is known when there are proxies with these answers."""

    async def talk() -> tuple[LiveTurn, ...]:
        open_ones = []
        for number, answer in enumerate(answers):
            questions = PrivateQuestions(lambda key: f"not {key}", {private_socket.LIVE: answer})
            place = questions.open(proxy_files.folder(environ) / str(number))
            announced(environ, number + 1, place)
            open_ones.append(questions)
        try:
            return await asyncio.to_thread(live_turns, environ)
        finally:
            for questions in open_ones:
                questions.close()

    return asyncio.run(talk())


def turn(number: int) -> LiveTurn:
    return LiveTurn(id=str(number), began=NOW + number, account="work")


def test_without_a_proxy_there_are_none(environ: dict[str, str]) -> None:
    assert live_turns(environ) == ()


def test_what_all_proxies_say_comes_together_the_oldest_first(environ: dict[str, str]) -> None:
    assert asked(environ, lambda: as_json([turn(2), turn(3)]), lambda: as_json([turn(1)])) == (
        turn(1),
        turn(2),
        turn(3),
    )


def test_a_proxy_that_does_not_know_the_question_has_none(environ: dict[str, str]) -> None:
    about = proxy_files.as_json(
        proxy_files.ProxyInfo(url="http://127.0.0.1:1", pid=1, home="h", certificate="", version="0")
    )
    assert asked(environ, lambda: about, lambda: "", lambda: as_json([turn(1)])) == (turn(1),)


def test_one_that_fails_to_answer_hides_no_other(environ: dict[str, str]) -> None:
    def broken() -> str:
        raise RuntimeError("broken by a test")

    assert asked(environ, broken, lambda: as_json([turn(1)])) == (turn(1),)


def test_a_file_whose_proxy_was_killed_is_passed_over(environ: dict[str, str], tmp_path: Path) -> None:
    announced(environ, os.getpid(), str(tmp_path / "nobody.sock"))
    assert live_turns(environ) == ()


def test_more_turns_than_an_ordinary_answer_holds_are_all_there(environ: dict[str, str]) -> None:
    many = [turn(number) for number in range(2000)]
    assert len(as_json(many)) > private_socket.MOST_SAID
    assert asked(environ, lambda: as_json(many)) == tuple(many)
