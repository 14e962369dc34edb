"""Files that a report goes to: new ones, for their owner only."""

from pathlib import Path
from typing import Annotated

import typer

from accounts.errors import UsageError
from config.errors import RotateError
from config.files import put_new, write_private

Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write it to this new file.", show_default=False)
]


class ReportUnwritable(RotateError):
    def __init__(self, file: Path, trouble: str) -> None:
        super().__init__(f"{file} could not be written ({trouble}). Choose another place with --out.")


def write_report(file: Path, content: bytes) -> Path:
    """For its owner only, where nothing is yet. Raises UsageError or ReportUnwritable."""
    try:
        write_private(file, content, put=put_new)
    except FileExistsError:
        raise UsageError(f"{file} is there already and was left as it is. Choose another name with --out.") from None
    except OSError as e:
        raise ReportUnwritable(file, e.strerror or str(e)) from e
    return file
