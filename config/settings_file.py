"""config.toml as a file: what it says and where, and how one setting of it changes while every other byte stays.

The file is the user's: comments, order, line endings and a byte order mark are kept. It is cut into statements, and
only those of the setting in question are touched. A line that ends within a value leaves a bracket or a string open, so
the fewest lines that are TOML by themselves are one statement.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from config import access, paths
from config.errors import ConfigError
from config.files import write_private

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

LOCK_SECONDS: Final = 10.0
"""How long another command that changes the file is waited for."""

type Value = str | int | float


class CannotChange(ConfigError):
    """The file is as it was. `remedy` is a sentence, where it is known what refuses."""

    exit_code = 1

    def __init__(self, file: Path, trouble: str, remedy: str = "") -> None:
        super().__init__(
            f"{file} cannot be changed ({trouble}). It was left as it is. "
            + (remedy or "Check who may write there and that the disk has room, then run the command again.")
        )


class CannotRead(ConfigError):
    """The file may be all right; nobody lets us look."""

    exit_code = 1

    def __init__(self, file: Path, refused: access.DiskRefusal) -> None:
        super().__init__(f"{file} cannot be read ({refused.of(file)}). {refused.remedy}")


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines that belong together, with their ends. `line` is the first one's number from 1; `key` is the name at the
    top of the file that they are about, "" for comments and empty lines; `table` is true from a `[header]` on."""

    line: int
    text: str
    key: str
    table: bool


# --- reading ---------------------------------------------------------------------------------------------------------


def read(file: Path) -> bytes | None:
    """What is in the file, None when there is none. Raises ConfigError."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as e:
        if not isinstance(e, IsADirectoryError) and (refused := access.refusal(file, e.errno)):
            raise CannotRead(file, refused) from e
        raise _unreadable(file, e.strerror or str(e)) from e


def values(file: Path, content: bytes | None) -> dict[str, Any]:
    """What `file`, with this content, sets. Raises ConfigError that names the line."""
    return _parsed(file, _text(file, content)).unwrap() if content else {}


def statements(file: Path, content: bytes | None) -> list[Statement]:
    """The whole content in order. Raises ConfigError for what is not TOML."""
    if not content:
        return []
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    text = _text(file, content)
    _parsed(file, text)
    found: list[Statement] = []
    chunk, start, table = "", 1, ""
    for number, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text), 1):
        chunk += line
        try:
            name = next(iter(tomlkit.parse(chunk)), "")
        except TOMLKitError:
            continue  # the value goes on in the next line
        table = name if chunk.lstrip().startswith("[") else table
        found.append(Statement(start, chunk, table if name and table else name, bool(table)))
        chunk, start = "", number + 1
    return found


def line_of(file: Path, content: bytes | None, key: str) -> int | None:
    """Where the file sets `key`, from 1. Raises ConfigError."""
    return next((each.line for each in statements(file, content) if each.key == key), None)


def _text(file: Path, content: bytes | None) -> str:
    try:
        return (content or b"").decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise _unreadable(file, "it is not UTF-8 text") from e


def _parsed(file: Path, text: str) -> "TOMLDocument":
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError as e:
        raise ConfigError(f"{file} is not valid TOML ({e}). Correct that line or remove the file.") from e


def _unreadable(file: Path, reason: str) -> ConfigError:
    return ConfigError(f"{file} cannot be read ({reason}). Make it a readable text file or remove it.")


# --- changing --------------------------------------------------------------------------------------------------------


def with_setting(file: Path, content: bytes | None, key: str, value: Value) -> bytes:
    """The content with `key` set to `value`: where it was set before, else below a comment that names it, as `config
    init` writes them, else at the end. Raises ConfigError."""
    import tomlkit

    there = statements(file, content)
    own = [at for at, each in enumerate(there) if each.key == key]
    if len(own) == 1 and not there[own[0]].table:
        line = tomlkit.parse(there[own[0]].text)
        if line[key] == value and type(line[key].unwrap()) is type(value):
            return content or b""
        line[key] = value  # with the spaces and the comment around it
        return _joined(content, [*_texts(there[: own[0]]), tomlkit.dumps(line), *_texts(there[own[0] + 1 :])])
    there = [each for each in there if each.key != key]
    ending = "\r\n" if there and there[0].text.endswith("\r\n") else "\n"
    at = _place(there, key)
    ahead, behind = _texts(there[:at]), _texts(there[at:])
    if ahead and not ahead[-1].endswith("\n"):
        ahead.append(ending)
    return _joined(content, [*ahead, f"{key} = {tomlkit.item(value).as_string()}{ending}", *behind])


def without_setting(file: Path, content: bytes | None, key: str) -> bytes:
    """The content without the statements about `key`. Raises ConfigError."""
    return _joined(content, _texts([each for each in statements(file, content) if each.key != key]))


def change(file: Path, edit: Callable[[bytes | None], bytes]) -> tuple[bytes, bool]:
    """Replace the content by what `edit` makes of it, as a whole or not at all. Returns it, and whether it differs.

    Two changes at once happen one after the other. What another program writes in the meantime is not lost: the change
    is refused. Raises CannotChange, and what `edit` raises.
    """
    from filelock import FileLock, Timeout

    try:
        paths.make_private_folder(file.parent)
        with FileLock(file.with_name(f"{file.name}.lock"), timeout=LOCK_SECONDS, mode=paths.PRIVATE_FILE):
            before = read(file)
            after = edit(before)
            if after == before:
                return after, False
            target = Path(os.path.realpath(file))  # a link stays one
            write_private(target, after, partial(_unchanged, file, before))
    except Timeout as e:
        raise CannotChange(file, "another command has been changing it for 10 seconds") from e
    except OSError as e:
        refused = access.refusal(Path(e.filename) if isinstance(e.filename, str) else file, e.errno)
        if refused:
            raise CannotChange(file, refused.of(file), refused.remedy) from e
        raise CannotChange(file, e.strerror or str(e)) from e
    return after, True


def _unchanged(file: Path, before: bytes | None, _: Path) -> None:
    if read(file) != before:
        raise CannotChange(file, "another program has just changed it")


def _place(there: Sequence[Statement], key: str) -> int:
    """Where a new line goes: never behind a header, where it would belong to the table."""
    top = [each for each in there if not each.table]
    commented = re.compile(rf"\s*#\s*{re.escape(key)}\s*=")
    return next((at for at, each in enumerate(top, 1) if commented.match(each.text)), len(top))


def _texts(found: Sequence[Statement]) -> list[str]:
    return [each.text for each in found]


def _joined(content: bytes | None, texts: Sequence[str]) -> bytes:
    mark = b"\xef\xbb\xbf" if (content or b"").startswith(b"\xef\xbb\xbf") else b""
    return mark + "".join(texts).encode()
