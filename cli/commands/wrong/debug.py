"""`debug bundle`: everything that somebody who helps may need, in one file, with secrets and e-mails out."""

import io
import json
import os
import re
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from cli.report.files import Out, write_report
from cli.report.text import in_words
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths

if TYPE_CHECKING:
    from cli.report.facts import Report
    from cli.report.redaction import Sweep

LOG_BYTES: Final = 512 * 1024
"""Of each log the end."""
LOGS: Final = 20
_NAME: Final = re.compile(r"(started-)?\d{1,20}\.log", re.ASCII)
ABOUT: Final = """What `codex-rotate debug bundle` has put together. Look through it before you pass it on.

report.txt, report.json  how things stood: versions, settings, accounts by number, proxies, findings
findings.json            what `codex-rotate doctor` would say, without trying anything out
settings.json            the settings in force and where each comes from
versions.json            of the programs and the system
events.jsonl             the history of the pool, the newest first: one JSON value per line
logs/                    the end of what proxies in the background have said

Accounts and threads are numbers, the same ones in every file. Tokens, keys, passwords and e-mails are taken out; what
is left of them would be a defect. Hosts and models are in it.
"""


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="What helps somebody to help.")
    group.callback()(_group)
    group.command("bundle")(bundle_command)
    app.add_typer(group, name="debug")


def _group() -> None:
    pass


# --- parsing ---------------------------------------------------------------------------------------------------------


def bundle_command(*, out: Out = None, as_json: AsJson = False) -> Result:
    """Write a zip file with the report, the history and the logs, without secrets and e-mails.

    Nothing is asked of the provider. Without --out it is a new file in this folder.
    """
    from cli.report.facts import made  # late: it knows about everything

    now = clock.now()
    stamp = datetime.fromtimestamp(now, UTC)
    file = (out or Path(f"codex-rotate-debug-{stamp:%Y%m%d-%H%M%S}.zip")).expanduser()
    members = contents(made(os.environ, now), paths.logs_folder(), now)
    write_report(file, packed(members, stamp))
    message = f"{file} was written: {len(members)} files. Look through it before you pass it on."
    return Result(message, {"file": str(file), "members": sorted(members)})


# --- working ---------------------------------------------------------------------------------------------------------


def contents(report: "Report", logs: Path, now: float) -> dict[str, str]:
    """Every file of the bundle. Raises StillSecret."""
    from cli.report.facts import lines_of

    data = report.data
    members = {
        "README.txt": ABOUT,
        "report.txt": in_words(data, now) + "\n",
        "report.json": _json(data),
        "findings.json": _json(data["findings"]),
        "settings.json": _json(data["settings"]),
        "versions.json": _json(data["versions"]),
        "events.jsonl": lines_of(report.events),
        **said(logs, report.sweep),
    }
    for name, content in members.items():
        report.sweep.check(name, content)
    return members


def packed(members: Mapping[str, str], made_at: datetime) -> bytes:
    """A zip file."""
    packing = io.BytesIO()
    with zipfile.ZipFile(packing, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=made_at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = paths.PRIVATE_FILE << 16
            archive.writestr(entry, content.encode("utf-8", "replace"))
    return packing.getvalue()


def said(folder: Path, sweep: "Sweep") -> dict[str, str]:
    """What proxies in the background have said. Links are left alone: they may lead to anything."""
    try:
        inside = list(folder.iterdir())
        files = sorted(each for each in inside if each.suffix == ".log" and each.is_file() and not each.is_symlink())
    except FileNotFoundError:
        return {}
    except OSError as e:
        return {"logs/unread.txt": f"The logs cannot be read ({e.strerror or e}).\n"}
    found = {}
    for number, file in enumerate(files[-LOGS:], 1):
        name = file.name if _NAME.fullmatch(file.name) else f"other-{number}.log"
        found[f"logs/{name}"] = _end(file, sweep)
    return found


def _end(file: Path, sweep: "Sweep") -> str:
    """Whole lines only: of half a line nobody can tell what it was."""
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(0, size - LOG_BYTES))
            content = opened.read(LOG_BYTES)
    except OSError as e:
        return f"This log cannot be read ({e.strerror or e}).\n"
    if size > LOG_BYTES:
        content = content.partition(b"\n")[2]
    return sweep.free(content.decode("utf-8", "replace"))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
