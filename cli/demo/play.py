"""`demo`: the main job, on this machine only. A spent, a revoked and two good accounts; turns that do not notice."""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from cli.demo import client as demo_client
from cli.demo import screen
from cli.demo.scene import MEANINGS, Act, DemoTurn, Door, Show
from cli.running.processes import Finished, run
from cli.ui.render import say
from cli.ui.result import Result, Table
from config import paths

TURN_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 20.0
FETCH_SECONDS: Final = 600.0
"""For some 170 MB over whatever line there is; Ctrl-C ends it earlier."""
PACKAGE: Final = ("--package", "@openai/codex", "--", "node", "-p", "process.env.PATH")
BUILT_IN: Final = "--built-in-client"
FETCHING: Final = (
    "codex-rotate: `codex` is not installed here, so npx fetches the official client into its cache: some 170 MB to "
    f"download the first time, 620 MB on disk. Ctrl-C stops it; `codex-rotate demo {BUILT_IN}` needs no download."
)
NOT_FETCHED: Final = "codex-rotate: npx could not fetch the official client, so the built-in one plays."
TRANSPORTS: Final = {"WebSocket": "auto", "HTTP": "sse"}
"""Each transport's name and the proxy's `rotate_transport`."""
QUIET: Final = (
    "features.apps=false",
    "features.plugins=false",
    "features.remote_plugin=false",
    "analytics.enabled=false",
    'otel.metrics_exporter="none"',
)
"""What keeps the official CLI from looking for anything but the model: there is nothing else on loopback."""


def demo(*, built_in: bool = False, as_json: bool = False) -> Result:
    """Play three turns at once over each transport and tell what happened. `built_in`: not by the official client."""
    columns = shutil.get_terminal_size().columns
    moving = not as_json and screen.can_move(sys.stdout, sys.stderr, os.environ, columns)
    with ending_in_order(), tempfile.TemporaryDirectory(prefix="codex-rotate demo ") as folder, ExitStack() as stack:
        client = "" if built_in else find_client(os.environ)
        show = stack.enter_context(screen.live(screen.Screen(list(TRANSPORTS)))) if moving else None
        turns = play(Path(folder), TRANSPORTS, client, show)
    return report(turns, client)


def play(folder: Path, transports: Mapping[str, str], client: str, show: Show | None) -> list[DemoTurn]:
    """All acts, up to one that fails. They get ready at the same time and are played one after the other."""

    def take_turn(door: Door, prompt: str) -> Finished:
        return ask_official(client, door, prompt) if client else ask_built_in(door, prompt)

    with ExitStack() as stack:
        acts = [stack.enter_context(Act(folder / option, name, option)) for name, option in transports.items()]
        turns: list[DemoTurn] = []
        for act in acts:
            turns += act.play(take_turn, show)
            if not all(map(came_through, turns)):
                break  # what went wrong would go wrong again
        return turns


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Being told to end is taken like Ctrl-C, so that the programs and folders of the demo end with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def find_client(environ: Mapping[str, str]) -> str:
    """The official CLI: named by CODEX_BIN, on the PATH, of this clone's tests, or npx's. Empty: none."""
    installed = paths.PROGRAM / "tests" / "e2e" / "node_modules" / ".bin" / "codex"
    for found in (environ.get("CODEX_BIN"), shutil.which("codex"), str(installed) if installed.exists() else None):
        if found:
            return found
    npx = shutil.which("npx")
    return from_npx([npx], environ) if npx else ""


def from_npx(npx: Sequence[str], environ: Mapping[str, str]) -> str:
    """Where npx has put the client, earlier or now, which is said before; empty if it cannot. The turns are not left
    to npx: it would ask its registry through the demo's proxy, which leads nowhere but to the stand-in."""
    with tempfile.TemporaryDirectory() as folder:
        told = run([*npx, "--no", *PACKAGE], environ, Path(folder), LOOK_SECONDS)
        if told.code:
            say(FETCHING)
            told = run([*npx, "--yes", *PACKAGE], environ, Path(folder), FETCH_SECONDS)
    found = shutil.which("codex", path=told.out.strip()) if told.code == 0 else None
    if not found:
        say(NOT_FETCHED)
    return found or ""


def ask_built_in(door: Door, prompt: str) -> Finished:
    """The user's side without the official CLI."""
    from httpx import HTTPError  # late, as in the client
    from wsproto.utilities import ProtocolError

    ask = demo_client.ask if door.option == "sse" else demo_client.ask_by_socket
    try:
        return ask(door.proxy, door.ca_file, door.home_login, prompt)
    except (OSError, HTTPError, ProtocolError) as e:
        return Finished(1, "", f"{type(e).__name__}: {e}")


def ask_official(client: str, door: Door, prompt: str) -> Finished:
    """The user's side: the official CLI with nothing but the proxy and its certificate."""
    codex_home = door.folder / "codex"
    codex_home.mkdir()
    (codex_home / "auth.json").write_text(json.dumps(door.home_login))
    environ = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "HTTPS_PROXY": door.proxy,
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "CODEX_CA_CERTIFICATE": str(door.ca_file),
        "CODEX_HOME": str(codex_home),
    }
    quiet = [word for setting in QUIET for word in ("-c", setting)]
    return run([client, "exec", "--skip-git-repo-check", *quiet, prompt], environ, door.folder, TURN_SECONDS)


def report(turns: Sequence[DemoTurn], client: str) -> Result:
    """What the user saw beside what happened. Exit code 1 when a turn did not come through."""
    good = bool(turns) and all(came_through(turn) for turn in turns)
    table = Table(
        columns=("turn", "what the user saw", "took", "what happened upstream"),
        rows=tuple(
            (f"{turn.transport} {turn.number}", seen(turn), f"{turn.seconds:.1f} s", " → ".join(map(str, turn.steps)))
            for turn in turns
        ),
        wrapped=frozenset({"what the user saw", "what happened upstream"}),
    )
    data = {
        "client": [client] if client else "built-in",
        "rotations": sum(turn.rotations for turn in turns),
        "turns": [
            {
                "transport": turn.transport,
                "exit_code": turn.finished.code if turn.finished else None,
                "answer": turn.finished.out if turn.finished else "",
                "seconds": round(turn.seconds, 3),
                "upstream": [str(step) for step in turn.steps],
            }
            for turn in turns
        ],
    }
    message = told_good(turns, client) if good else told_bad(turns)
    return Result(message, data, exit_code=0 if good else 1, table=table)


def came_through(turn: DemoTurn) -> bool:
    return turn.finished is not None and turn.finished.code == 0 and bool(turn.steps)


def seen(turn: DemoTurn) -> str:
    return (turn.finished.out.strip() if turn.finished else "") or "(nothing)"


def told_good(turns: Sequence[DemoTurn], client: str) -> str:
    """The two sides in a line each, and who played."""
    refusals = Counter(
        MEANINGS.get(step.status or 0, "refused") for turn in turns for step in turn.steps if step.refused
    )
    counted = ", ".join(f"{count} x {meaning}" for meaning, count in refusals.items()) or "no refusal"
    rotations = sum(turn.rotations for turn in turns)
    who = "the official Codex CLI" if client else "the built-in client, not by the official one"
    return (
        f"The user saw:  {_counted(len(turns), 'answer')}, no error.\n"
        f"What happened: {counted}; {_counted(rotations, 'rotation')}.\n"
        f"Played by {who}; no turn left this machine."
    )


def told_bad(turns: Sequence[DemoTurn]) -> str:
    words = [turn.finished.err.strip()[-400:] for turn in turns if turn.finished and turn.finished.code != 0]
    said = " / ".join(word for word in words if word)
    return f"A turn did not come through. The client said: {said or 'nothing'}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
