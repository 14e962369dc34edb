"""`explain`: what a saved capture says of each turn, without the pool."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.ui.lines import plain
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock
from config.errors import RotateError
from config.times.local_time import short_time

if TYPE_CHECKING:  # mitmproxy: only this command reads captures
    from addons.inspection.explaining import Explained

SHORT: Final = 24
SUFFIX: Final = "*.flow*"


class BadCapture(RotateError):
    def __init__(self, path: Path, trouble: str) -> None:
        super().__init__(f"{path} cannot be read as a capture ({trouble}). Give a file that mitmproxy has saved.")


class NoCapture(RotateError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} has no captures in it (files named {SUFFIX}). Give the file itself.")


def add_to(app: typer.Typer) -> None:
    app.command("explain")(explain_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def explain_command(
    capture: Annotated[
        Path, typer.Argument(metavar="FILE", help="What mitmproxy has saved, or a folder of such files.")
    ],
    *,
    as_json: AsJson = False,
) -> Result:
    """Say of each turn in a saved capture which accounts were asked, what came of it, and what it cost."""
    return explain(capture, clock.now())


# --- working ---------------------------------------------------------------------------------------------------------


def explain(path: Path, now: float) -> Result:
    """The turns of a file or folder. A file that ends in the middle is read as far as it goes, and says so."""
    files = [path]
    if path.is_dir():
        files = sorted(each for each in path.glob(SUFFIX) if each.is_file())
        if not files:
            raise NoCapture(path)
    told, data, notes = [], [], []
    for file in files:
        turns: list[Explained] = []
        trouble = _read(file, turns)
        if trouble and not turns:
            raise BadCapture(file, trouble)
        if trouble:
            notes.append(f"{file} ends in the middle ({trouble}): only what is before that is told.")
        told += turns
        data += [{"file": str(file), **asdict(each)} for each in turns]
    if not told:
        return Result("There is no model request in it.", {"turns": []}, notes=tuple(notes))
    return Result("", {"turns": data}, table=_table(told, now), notes=tuple(notes))


def _table(turns: "Sequence[Explained]", now: float) -> Table:
    """A line for a turn; where there is no room for that, what it was above where it went, and what came of it."""
    turn, became = "turn", "accounts, became, took, tokens"
    stacked = []
    for each in turns:
        at, thread, over, model, accounts, done, first, took, tokens = _row(each, now, SHORT)
        what = "\n".join(filter(None, (" ".join(filter(None, (at, over))), thread, model)))
        spent = ", ".join(filter(None, (f"first {first}" if first else "", took)))
        came = "\n".join(filter(None, (accounts, done, spent, f"{tokens} tokens" if tokens else "")))
        stacked.append((what, came))
    narrow = Table(columns=(turn, became), rows=tuple(stacked), clipped=frozenset({turn}), wrapped=frozenset({became}))
    return Table(
        columns=("at", "thread", "over", "model", "accounts", "became", "first", "took", "tokens"),
        rows=tuple(_row(each, now) for each in turns),
        clipped=frozenset({"thread", "model"}),
        wrapped=frozenset({"accounts", "became"}),
        narrow=narrow,
    )


def _read(file: Path, turns: "list[Explained]") -> str:
    """Add the turns of a file; what kept the rest from being read, "" for nothing."""
    from mitmproxy.exceptions import FlowReadException
    from mitmproxy.io import FlowReader

    from addons.inspection.explaining import explained

    try:
        with file.open("rb") as saved:
            turns.extend(explained(FlowReader(saved).stream()))
    except FlowReadException as e:
        return str(e) or "it is damaged"
    except OSError as e:
        return e.strerror or str(e)
    except Exception:  # noqa: BLE001 - mitmproxy's reader trusts what it reads
        return "a flow in it is none that mitmproxy writes"
    return ""


def _row(turn: "Explained", now: float, longest: int = 300) -> tuple[str, ...]:
    """`longest` is how many characters of an account's name are shown."""
    return (
        short_time(turn.at, now),
        "\n".join(filter(None, (turn.thread[-8:], plain(" in ".join(filter(None, (turn.person, turn.project))))))),
        {"websocket": "WS"}.get(turn.transport, turn.transport.upper()),
        turn.model,
        " → ".join(_accounts(turn, longest)),
        turn.done,
        _seconds(turn.first),
        _seconds(turn.seconds),
        _tokens(turn),
    )


def _accounts(turn: "Explained", longest: int) -> Iterator[str]:
    for each in turn.asked:
        status = f" {each.status}" if each.status else ""
        kind = "" if each.kind in {"ok", "upgraded"} else f" {each.kind.replace('_', ' ')}"
        yield f"{plain(each.account, longest)}{status}{kind}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _tokens(turn: "Explained") -> str:
    if turn.tokens is None:
        return ""
    cached = f" ({turn.tokens.cached} cached)" if turn.tokens.cached else ""
    return f"{turn.tokens.given or 0}{cached} + {turn.tokens.made or 0}"
