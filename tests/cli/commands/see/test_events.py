"""`events` tells what has happened, and with --follow what happens, until it is stopped."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from accounts.choice.decision_record import DECISION
from accounts.model import Event
from accounts.store import trouble_notes
from accounts.store.store import Store
from accounts.store.trouble_notes import TroubleNote
from cli.commands.see.events import EventQuery, go_on
from config import clock
from tests.harness import PATIENCE, ROOT, Output

type Run = Callable[..., Any]
type Fill = Callable[..., Any]

COMMAND: Final = [sys.executable, "-c", "from codex_rotate import main; main()", "events", "--follow"]


def record(home: Path, *events: Event) -> None:
    with Store(home / "pool.db") as store:
        store.record(*events).result()


def test_the_history_is_told_oldest_first(run: Run, home: Path, fill: Fill) -> None:
    (seat,) = fill("ann")
    now = clock.now()
    record(home, Event(at=now - 5, kind="paused", key=seat.key), Event(at=now, kind="resumed", key=seat.key))
    ran = run("events")
    assert (ran.code, [line[7:] for line in ran.out.splitlines()]) == (0, ["paused  ann", "resumed  ann"])


def test_for_programs_it_is_one_value(run: Run, home: Path, fill: Fill) -> None:
    (seat,) = fill("ann")
    record(home, Event(at=clock.now(), kind="paused", key=seat.key))
    (told,) = run("events", "--json").json["events"]
    assert (told["kind"], told["account"], told["request"]) == ("paused", "ann", None)


def test_what_is_asked_for_is_told(run: Run, home: Path) -> None:
    now = clock.now()
    record(
        home, Event(at=now - 90_000, kind="chosen"), Event(at=now - 60, kind="paused"), Event(at=now, kind="resumed")
    )

    def kinds(*words: str) -> list[str]:
        return [each["kind"] for each in run("events", "--json", *words).json["events"]]

    assert kinds() == ["paused", "resumed"]
    assert kinds("--since", "2d") == ["chosen", "paused", "resumed"]
    assert kinds("--since", "2d", "--kind", "resumed", "--kind", "chosen") == ["chosen", "resumed"]
    assert run("events", "--kind", "chosen").out.startswith("Nothing of that has happened since ")


def test_a_kind_that_there_is_not_names_the_nearest(run: Run) -> None:
    ran = run("events", "--kind", "pausd")
    assert (ran.code, "Did you mean paused?" in ran.err) == (2, True)
    assert run("events", "--since", "soon").code == 2


class Stopped(Exception):
    """Ctrl-C, in place of a pause."""


def followed(store: Store, *steps: Callable[[], object], query: EventQuery | None = None, **more: Any) -> None:
    """Look once after each of these."""
    left = list(steps)

    def pause(_: float) -> None:
        if not left:
            raise Stopped
        left.pop(0)()

    with pytest.raises(Stopped):
        go_on(store, query or EventQuery(), **{"earlier": False, "as_json": True, **more}, pause=pause)


def test_what_happens_comes_as_json_lines(home: Path, fill: Fill, capsys: pytest.CaptureFixture[str]) -> None:
    (seat,) = fill("ann")
    record(home, Event(at=1.0, kind="chosen"))
    with Store(home / "pool.db") as store:
        followed(
            store,
            lambda: record(home, Event(at=2.0, kind="paused", key=seat.key), Event(at=3.0, kind="resumed")),
            lambda: None,
            lambda: record(home, Event(at=4.0, kind=DECISION, detail="{}")),
        )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["kind"] for each in lines] == ["paused", "resumed", DECISION]
    assert [each["account"] for each in lines] == ["ann", None, None]


def test_with_since_it_begins_with_what_was(home: Path, fill: Fill, capsys: pytest.CaptureFixture[str]) -> None:
    fill("ann")
    record(home, Event(at=1.0, kind="chosen"), Event(at=2.0, kind="paused"))
    with Store(home / "pool.db") as store:
        followed(store, lambda: record(home, Event(at=3.0, kind="resumed")), query=EventQuery(since=2.0), earlier=True)
    assert [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()] == ["paused", "resumed"]


def test_a_file_that_goes_and_comes_back_is_a_sentence_each(
    home: Path, fill: Fill, capsys: pytest.CaptureFixture[str]
) -> None:
    fill("ann")
    file, aside = home / "pool.db", home / "aside.db"
    with Store(file) as store:
        followed(
            store,
            lambda: file.rename(aside),
            lambda: None,
            lambda: aside.rename(file),
            lambda: record(home, Event(at=clock.now(), kind="paused")),
        )
    said = capsys.readouterr()
    gone, back = said.err.splitlines()
    assert f"{file} is not there any more" in gone
    assert back == "codex-rotate: the pool can be read again, and it goes on"
    assert [json.loads(line)["kind"] for line in said.out.splitlines()] == ["paused"]


def test_looking_makes_no_new_file_where_a_proxy_serves_from_memory(run: Run, home: Path) -> None:
    proxies = home / "proxies"
    proxies.mkdir(parents=True)
    trouble_notes.leave(proxies, TroubleNote(os.getpid(), "is not there any more"))
    ran = run("events")
    assert ran.code == 1
    assert f"process {os.getpid()} serves from memory" in ran.err
    assert not (home / "pool.db").exists()


@contextmanager
def following(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], Output]]:
    """The command in a process of its own, once it waits."""
    environ = {**os.environ, "CODEX_ROTATE_HOME": str(home)}
    with subprocess.Popen(
        [*COMMAND, *words], cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        output = Output(process)
        try:
            output.wait_for("waiting for what happens")
            yield process, output
        finally:
            process.kill()
            process.wait(PATIENCE)
            output.close()


@pytest.mark.skipif(os.name != "posix", reason="a signal of a terminal")
def test_ctrl_c_ends_it_well(home: Path, fill: Fill) -> None:
    fill("ann")
    with following(home) as (process, output):
        record(home, Event(at=clock.now(), kind="resumed", detail="now"))
        output.wait_for("resumed  now")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in output.text()
