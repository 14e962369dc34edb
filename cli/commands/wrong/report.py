"""`report`: how things stand here, for a person to paste somewhere. No secret and no name is in it."""

import json
import os

import typer

from cli.report.files import Out, write_report
from cli.report.text import in_words
from cli.ui.lines import terminal_width
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock


def add_to(app: typer.Typer) -> None:
    app.command("report")(report_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def report_command(*, out: Out = None, as_json: AsJson = False) -> Result:
    """Sum up versions, settings, accounts, proxies, decisions and findings, for somebody who helps.

    Nothing is asked of the provider. Read it before you pass it on all the same.
    """
    from cli.report.facts import made  # late: it knows about everything

    now = clock.now()
    report = made(os.environ, now)
    width = 0 if out else terminal_width()
    text = json.dumps(report.data, indent=2, ensure_ascii=False) if as_json else in_words(report.data, now, width)
    report.sweep.check("The report", text)
    if out is None:
        return Result(text, report.data)
    file = write_report(out.expanduser(), f"{text}\n".encode("utf-8", "replace"))
    return Result(f"The report was written to {file}. Read it before you pass it on.", {"file": str(file)})


# --- working ---------------------------------------------------------------------------------------------------------
