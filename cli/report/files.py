"""Files that a report goes to: new ones, for their owner only."""

import os
from pathlib import Path
from typing import Annotated

import typer

from accounts.errors import UsageError
from config.errors import RotateError
from config.files import write_private

Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write it to this new file.", show_default=False)
]


class ReportUnwritable(RotateError):
    def __init__(self, file: Path, trouble: str) -> None:
        super().__init__(f"{file} could not be written ({trouble}). Choose another place with --out.")


def write_new(file: Path, content: bytes) -> Path:
    """For its owner only, where nothing is yet. Raises UsageError or CannotWrite."""
    if os.path.lexists(file):
        raise UsageError(f"{file} is there already and was left as it is. Choose another name with --out.")
    try:
        write_private(file, content)
    except OSError as e:
        raise ReportUnwritable(file, e.strerror or str(e)) from e
    return file
