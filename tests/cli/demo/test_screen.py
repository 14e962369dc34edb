"""The live table says where each turn is, and is shown only where it can be."""

import io

import pytest
from rich.console import Console

from cli.demo import screen as demo_screen
from cli.demo.scene import DemoStep, DemoTurn
from cli.running.processes import Finished


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


TTY, FILE = Terminal(), io.StringIO()
XTERM = {"TERM": "xterm"}


@pytest.mark.parametrize(
    ("out", "err", "environ", "columns", "moves"),
    [
        (TTY, TTY, XTERM, 80, True),
        (TTY, TTY, XTERM, 59, False),
        (FILE, TTY, XTERM, 80, False),
        (TTY, FILE, XTERM, 80, False),
        (TTY, TTY, {"TERM": "dumb"}, 80, False),
        (TTY, TTY, {}, 80, False),
        (TTY, TTY, XTERM | {"NO_COLOR": "1"}, 80, False),
        (TTY, TTY, XTERM | {"NO_COLOR": ""}, 80, True),
        (TTY, TTY, XTERM | {"CI": "true"}, 80, False),
    ],
)
def test_the_table_moves_only_on_a_terminal_that_can_and_may(
    out: io.StringIO, err: io.StringIO, environ: dict[str, str], columns: int, moves: bool
) -> None:
    assert demo_screen.can_move(out, err, environ, columns) is moves


def drawn(screen: demo_screen.Screen, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(screen.table())
    return captured.get()


@pytest.mark.parametrize("width", [80, 160])
def test_every_turn_has_its_line_from_the_start(width: int) -> None:
    screen = demo_screen.Screen(["WebSocket", "HTTP"])
    lines = drawn(screen, width).splitlines()
    assert [line.split("  ")[0].strip() for line in lines[2:8]] == [
        *(f"WebSocket {n}" for n in (1, 2, 3)),
        *(f"HTTP {n}" for n in (1, 2, 3)),
    ]
    assert max(map(len, lines)) <= width


def test_a_turn_goes_from_asking_to_reading_to_its_end() -> None:
    """Every state has its words, and an error is not hidden."""
    screen = demo_screen.Screen(["HTTP"])
    asked, refused = DemoStep("good", None), DemoStep("spent", 429)
    screen.take(
        [
            DemoTurn(transport="HTTP", number=1, steps=(refused, asked)),
            DemoTurn(transport="HTTP", number=2, steps=(refused, DemoStep("good", 200)), streams=True),
            DemoTurn(transport="HTTP", number=3, finished=Finished(1, "", "no"), seconds=2.0),
        ]
    )
    first, second, third = drawn(screen, 100).splitlines()[2:5]
    assert "spent 429 at its limit → good …" in first
    assert "waits" in first
    assert "good 200 answers" in second
    assert "reads" in second
    assert "an error" in third


def test_the_drawing_goes_to_stderr_and_is_wiped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """stdout is for the result alone."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # what has rich take the captured stderr for a terminal
    with demo_screen.live(demo_screen.Screen(["HTTP"])) as show:
        show([DemoTurn(transport="HTTP", number=n, finished=Finished(0, "hi", ""), seconds=0.5) for n in (1, 2, 3)])
    said = capsys.readouterr()
    assert said.out == ""
    assert "answer, 0.5 s" in said.err
