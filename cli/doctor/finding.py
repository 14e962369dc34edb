"""What `doctor` finds, as values: a name, how bad it is, one sentence of what is, one of what to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Good to know; nothing has to be done."""
    WARNING = "warning"
    """Works, or works for some; it will cost something one day."""
    PROBLEM = "problem"
    """Does not work: a client is not served, or a secret is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`name` is for programs and stays the same between releases. What is all right needs no remedy."""

    name: str
    state: Severity
    what: str
    remedy: str = ""


type Findings = Iterator[Finding]
"""What a check gives: a judgement on facts that others have gathered."""


def ok(name: str, what: str) -> Finding:
    return Finding(name=name, state=Severity.OK, what=what)


def note(name: str, what: str, remedy: str = "") -> Finding:
    return Finding(name=name, state=Severity.NOTE, what=what, remedy=remedy)


def warning(name: str, what: str, remedy: str) -> Finding:
    return Finding(name=name, state=Severity.WARNING, what=what, remedy=remedy)


def problem(name: str, what: str, remedy: str) -> Finding:
    return Finding(name=name, state=Severity.PROBLEM, what=what, remedy=remedy)


def told(name: str, error: str, state: Severity = Severity.PROBLEM) -> Finding:
    """An error of ours, which ends with its remedy: the last sentence."""
    what, found, remedy = error.rpartition(". ")
    return Finding(name=name, state=state, what=f"{what}." if found else error, remedy=remedy if found else "")
