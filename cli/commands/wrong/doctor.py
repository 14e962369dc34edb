"""`doctor`: everything that has to be right for a client to be served, looked at, tried out, and put into words."""

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Final

import typer

from cli.doctor.finding import Finding, Severity
from cli.ui.lines import terminal_width, wrapped
from cli.ui.options import AsJson
from cli.ui.render import say
from cli.ui.result import Result
from config import clock

MARKS: Final = {Severity.OK: "✓", Severity.NOTE: "·", Severity.WARNING: "!", Severity.PROBLEM: "✗"}
PATIENCE: Final = "Looking at this machine, then asking through the proxy. That can take a minute."

type Grouped = Sequence[tuple[str, Finding]]


def add_to(app: typer.Typer) -> None:
    app.command("doctor")(doctor_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def doctor_command(
    *,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Mend what can be mended without losing anything, and say what was done."),
    ] = False,
    as_json: AsJson = False,
) -> Result:
    """Find out what keeps clients from being served. Exit code 0 when there is no problem, 1 when there is one.

    Two requests go through the proxy to the provider; they spend no quota.
    """
    if sys.stderr.isatty() and not as_json:
        say(PATIENCE)
    return doctor(os.environ, clock.now(), fix=fix, width=terminal_width())


# --- working ---------------------------------------------------------------------------------------------------------


def doctor(environ: Mapping[str, str], now: float, *, fix: bool, width: int = 0) -> Result:
    """Look, mend if asked to and look again, try out, judge."""
    from cli.doctor import (
        checks,
        fixes,  # late: they know about everything
    )

    facts = checks.look(environ, now)
    done, failed = fixes.mend(fixes.due(facts)) if fix else ([], [])
    if done:
        facts = checks.look(environ, now)
    found = checks.judged(checks.try_out(facts, environ))
    counts = Counter(finding.state for _, finding in found)
    data = {
        "summary": {str(state): counts[state] for state in Severity},
        "findings": [{"group": group, **asdict(finding)} for group, finding in found],
        "fixed": done,
        "not_fixed": failed,
    }
    message = "\n".join([*_repairs(done, fix=fix), *_lines(found, width), "", summary(counts)])
    return Result(message, data, exit_code=1 if counts[Severity.PROBLEM] else 0, notes=tuple(failed))


# --- showing ---------------------------------------------------------------------------------------------------------


def summary(counts: Mapping[Severity, int]) -> str:
    """The last line."""
    problems, warnings = counts[Severity.PROBLEM], counts[Severity.WARNING]
    also = f" {_number(warnings, 'warning')} can wait." if warnings else ""
    if problems:
        return f"{_number(problems, 'problem')} to mend.{also}"
    return f"No problem was found.{also}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _repairs(done: Sequence[str], *, fix: bool) -> list[str]:
    if not fix:
        return []
    return [*(f"Mended: {sentence}" for sentence in done or ["nothing that can be mended by itself was found."]), ""]


def _lines(found: Grouped, width: int) -> list[str]:
    groups: dict[str, list[Finding]] = {}
    for group, finding in found:
        groups.setdefault(group, []).append(finding)
    lines: list[str] = []
    for group, findings in groups.items():
        lines += [*([""] if lines else []), group]
        for each in findings:
            lines += _shown(each, width)
    return lines


def _shown(finding: Finding, width: int) -> list[str]:
    """With a mark on a terminal, with a word elsewhere."""
    head = f"  {MARKS[finding.state]} " if width else f"  {finding.state}: "
    lines = wrapped(head, finding.what, width)
    return lines + (wrapped("    ", finding.remedy, width) if finding.remedy else [])
