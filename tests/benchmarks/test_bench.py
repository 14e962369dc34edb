"""The whole benchmark runs and tells what it found. How fast anything is is not asked here."""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import report, trials
from benchmarks.cases import DIRECT, OURS, PLAIN, ROTATING

ALL = {
    "short turns, HTTP/1.1, 1 client": {DIRECT, PLAIN, OURS},
    "short turns, HTTP/2, 16 clients": {DIRECT, PLAIN, OURS},
    "streaming, HTTP/2, 16 clients": {DIRECT, PLAIN, OURS},
    "70 KB body, HTTP/2": {DIRECT, PLAIN, OURS},
    "WebSocket turns, 64 sockets": {DIRECT, PLAIN, OURS},
    "no rotation": {ROTATING},
    "three rotations": {ROTATING},
    "5,000 messages on one socket": {PLAIN, OURS},
    "cold starts": {trials.PYTHON, trials.LIST, trials.SERVE},
}
"""What the smoke run does, and with whom."""
SOME = ("short turns, HTTP/1.1, 1 client", "streaming, HTTP/2, 16 clients", "three rotations")
"""One of each kind, without `make newest`."""
WORKS = ALL if "COLD" in os.environ else {name: ALL[name] for name in SOME}


@pytest.fixture(scope="module")
def found(tmp_path_factory, warm_starts):
    """One short run with everything that writes."""
    if sys.platform != "linux":
        pytest.skip("asks the Linux kernel")
    folder: Path = tmp_path_factory.mktemp("bench")
    page = folder / "page.md"
    page.write_text(f"# Page\n\n{report.BEGIN}\n{report.END}\n")
    printed = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(printed):
        code = bench.main(["--quick", "--only", *WORKS, "--json", str(folder / "numbers.json"), "--write", str(page)])
    assert code == 0
    printed.seek(0)
    return folder, printed.read()


def test_every_work_has_its_numbers(found):
    folder, _ = found
    rounds = json.loads((folder / "numbers.json").read_text())["book"]["rounds"]
    for work, cases in WORKS.items():
        assert rounds[work].keys() == cases, work
        assert all(values for case in cases for values in rounds[work][case].values())
    proxied = rounds["short turns, HTTP/1.1, 1 client"]
    assert "cpu_us" in proxied[OURS]
    assert "cpu_us" not in proxied[DIRECT]
    assert "delay_p99_ms" in rounds["streaming, HTTP/2, 16 clients"][OURS]


def test_the_tables_are_printed_and_written(found):
    folder, printed = found
    page = (folder / "page.md").read_text()
    for text in ("HTTP/1.1, 1 client", report.QUICK, "Load average"):
        assert text in printed
        assert text in page
    for picture in ("page.svg", "page-memory.svg"):
        assert "<svg" in (folder / picture).read_text()


def test_numbers_can_be_read_again(found, capsys):
    folder, printed = found
    assert bench.main(["--read", str(folder / "numbers.json")]) == 0
    assert capsys.readouterr().out == printed


def test_unknown_names_are_said_so(capsys):
    assert bench.main(["--only", "no such work"]) == 2
    assert "--list" in capsys.readouterr().err


def test_the_names_are_listed(capsys):
    assert bench.main(["--list", "--only", "rotation"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        *("no rotation", "one rotation", "three rotations"),
        *("no rotation, WebSocket", "one rotation beneath a WebSocket", "three rotations beneath a WebSocket"),
    ]


def test_the_page_has_a_place_for_results():
    assert "what a run writes" in report.written_into(bench.PAGE.read_text("utf-8"), "what a run writes")
