"""A report as text: nothing is wider than the terminal."""

import os
from pathlib import Path

import pytest

from cli.report.facts import made
from cli.report.text import in_words
from config import clock
from tests.cli.plants import Planted, planted_machine


@pytest.fixture
def plants(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    return planted_machine(tmp_path, home, monkeypatch)


@pytest.mark.parametrize("width", [60, 80, 160])
def test_on_a_terminal_lines_fit(plants: Planted, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    text = in_words(made(os.environ, clock.now()).data, clock.now(), width)
    assert max(map(len, text.splitlines())) <= width
