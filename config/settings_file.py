r"""config.toml as a file: what it says and where, and how one setting of it changes while every other byte stays.

The file is the user's: comments, order, line endings and a byte order mark are kept. tomlkit reads and writes it, and a
value is replaced by it with the spaces and the comment around it. Where a line comes or goes, the list of entries in
its document is changed here, since its own methods touch what is around:

- `document.add` ends the line with `\n` among lines that end with `\r\n`, puts an empty line between the new line and
  `[table]`, and does not know the comment that names the setting;
- `document.remove` takes the comments of a `[table]` with it;
- what is written as `[[u]]`, `[t]`, `[[u]]` comes back as `[[u]]`, `[[u]]`, `[t]`: such a file is not changed.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from config import access, paths
from config.errors import ConfigError
from config.files import write_private

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Item, Key

    type Entry = tuple[Key | None, Item]

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


def lines(file: Path, content: bytes | None) -> dict[str, int]:
    """The line, from 1, in which the file first names each key. Raises ConfigError.

    tomlkit does not tell it: it is how many lines the document has without that entry and all after it, and one.
    """
    if not content:
        return {}
    import tomlkit

    document = _parsed(file, _text(file, content))
    found = {}
    for at, (name, _) in reversed([*enumerate(document.body)]):
        del document.body[at:]
        if name is not None:
            found[name.key] = tomlkit.dumps(document).count("\n") + 1
    return found


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
        # where it is, and none of its words: they quote the file, which may hold a proxy's password
        line, column = getattr(e, "line", 0), getattr(e, "col", 0)
        place = f" at line {line} col {column}" if line else ""
        raise ConfigError(f"{file} is not valid TOML{place}. Correct that line or remove the file.") from None


def _unreadable(file: Path, reason: str) -> ConfigError:
    return ConfigError(f"{file} cannot be read ({reason}). Make it a readable text file or remove it.")


# --- changing --------------------------------------------------------------------------------------------------------


def with_setting(file: Path, content: bytes | None, key: str, value: Value) -> bytes:
    """The content with `key` set to `value`: where it was set before, else below a comment that names it, as `config
    init` writes them, else at the end but before the first table. Raises ConfigError."""
    import tomlkit
    from tomlkit.items import AoT, Table

    text = _text(file, content)
    document = _changeable(file, text)
    own = [entry for name, entry in document.body if name is not None and name.key == key]
    if len(own) == 1 and not isinstance(own[0], AoT | Table):
        if own[0].unwrap() == value and type(own[0].unwrap()) is type(value):
            return content or b""
        document[key] = value
        return _encoded(content, document)
    ending = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    new = tomlkit.parse(f"{key} = {tomlkit.item(value).as_string()}{ending}").body
    at = _place(document.body, key)
    behind = _without(document.body[at:], key)
    document.body[:] = _without(document.body[:at], key)
    if document.body and not tomlkit.dumps(document).endswith("\n"):
        document.body.append((None, tomlkit.ws(ending)))
    document.body.extend([*new, *behind])
    return _encoded(content, document)


def without_setting(file: Path, content: bytes | None, key: str) -> bytes:
    """The content without what sets `key`, but with the comments of a table of that name. Raises ConfigError."""
    document = _changeable(file, _text(file, content))
    document.body[:] = _without(document.body, key)
    return _encoded(content, document)


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


def _changeable(file: Path, text: str) -> "TOMLDocument":
    import tomlkit

    document = _parsed(file, text)
    if tomlkit.dumps(document) != text:
        remedy = "Put the parts of each list of tables next to each other, then run the command again."
        raise CannotChange(file, "a list of tables in it has another table between its parts", remedy)
    return document


def _place(entries: Sequence["Entry"], key: str) -> int:
    """Where the line of `key` goes: never behind a header, where it would belong to the table."""
    from tomlkit.items import AoT, Comment, Table

    for at, (name, entry) in enumerate(entries):
        if name is not None and (name.key == key or (isinstance(entry, AoT | Table) and not name.is_dotted())):
            return at
        if isinstance(entry, Comment):
            named, equals, _ = entry.trivia.comment.removeprefix("#").partition("=")
            if equals and named.strip() == key:
                return at + 1
    return len(entries)


def _without(entries: Sequence["Entry"], key: str) -> list["Entry"]:
    kept: list[Entry] = []
    for name, entry in entries:
        kept.extend(_comments(entry) if name is not None and name.key == key else [(name, entry)])
    return kept


def _comments(entry: "Item") -> Iterator["Entry"]:
    """The comments and empty lines of a table."""
    from tomlkit.items import AoT, Table

    if isinstance(entry, AoT):
        for table in entry.body:
            yield from _comments(table)
    elif isinstance(entry, Table):
        for name, inner in entry.value.body:
            yield from [(name, inner)] if name is None else _comments(inner)


def _encoded(content: bytes | None, document: "TOMLDocument") -> bytes:
    import tomlkit

    mark = b"\xef\xbb\xbf" if (content or b"").startswith(b"\xef\xbb\xbf") else b""
    return mark + tomlkit.dumps(document).encode()
