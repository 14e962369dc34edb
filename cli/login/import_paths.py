"""What `import` is given, and what is said of a path that leads to nothing."""

import difflib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from accounts.errors import BadAuthFile
from accounts.logins.import_formats import Imported, read_logins
from config.errors import RotateError

CUTOFF: Final = 0.6


class CannotImport(RotateError):
    """`trouble` is the same without that nothing came of it, for one path among many."""

    def __init__(self, trouble: str, remedy: str) -> None:
        super().__init__(f"{trouble} Nothing was imported. {remedy}")
        self.trouble = f"{trouble} {remedy}"


class NotThere(CannotImport):
    """A path that leads to nothing, with what is probably meant."""

    def __init__(self, path: Path, meant: Path | None, missing: Path) -> None:
        said = f"{path} is not there." if missing == path else f"{path} is not there: there is no folder {missing}."
        super().__init__(said, f"Did you mean {meant}?" if meant else "Check the path.")


class Unreadable(CannotImport):
    """`why` is the system's own word for it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be read ({why}).", "Check who owns it and who may read it, with `ls -ld`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One path and the logins in it, or why there are none."""

    path: str
    imported: Imported | None = None
    error: str = ""


def read(paths: Sequence[str]) -> list[Given]:
    """What is in each of these files and folders; one that is wrong keeps no other one out."""
    found = []
    for path in dict.fromkeys(paths):
        try:
            found.append(Given(path=path, imported=read_one(path)))
        except (BadAuthFile, CannotImport) as e:
            found.append(Given(path=path, error=e.trouble))
    return found


def read_one(given: str) -> Imported:
    """The logins in a file or folder. Raises CannotImport, or BadAuthFile for what is no login."""
    if not given:  # as a path it would be this folder
        raise CannotImport("An empty path names nothing.", "Check the variable that it came from.")
    path = Path(given)
    with suppress(RuntimeError):  # ~somebody who is not known: that is not there
        path = path.expanduser()
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NotThere(path, *nearest(path)) from None
    except (OSError, ValueError) as e:  # ValueError: a NUL in the name
        raise Unreadable(path, getattr(e, "strerror", None) or str(e)) from e
    try:
        return read_logins(path)
    except BadAuthFile as e:
        if isinstance(e.__cause__, OSError):
            raise Unreadable(path, e.__cause__.strerror or str(e.__cause__)) from e
        raise


def nearest(path: Path) -> tuple[Path | None, Path]:
    """What is there with the most similar name, None when nothing is similar, and what of `path` is missing: the first
    of its folders that is not there, or itself."""
    written_out = Path(os.path.expandvars(path))
    if written_out != path and written_out.exists():
        return written_out, path
    missing = path
    while not missing.parent.is_dir() and missing.parent != missing:
        missing = missing.parent
    names: list[str] = []
    with suppress(OSError):
        names = [each.name for each in missing.parent.iterdir()]
    near = difflib.get_close_matches(missing.name, names, n=1, cutoff=CUTOFF) or [
        each for each in names if each.casefold() == missing.name.casefold()
    ]
    if not near:
        return None, missing
    meant = missing.parent / near[0] / path.relative_to(missing)
    return (meant if meant.exists() else missing.parent / near[0]), missing
