"""The block of ours in the official client's `.env`, as pure text: put in, found again, taken out without a trace.

The client reads `$CODEX_HOME/.env` line by line, lets it override its environment, and skips what it cannot read
(docs/codex-wire.md section 6). What is not our block is the user's and stays byte for byte. The block stands last,
because the last assignment of a name wins. Its first line says what was there before, so that all of it can be undone,
and has a digest, so that a block that somebody edited is noticed instead of guessed about.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_OPENING: Final = b"# >>> codex-rotate bind"
_CLOSING: Final = b"# <<< codex-rotate bind"
_ADVICE: Final = "`codex-rotate unbind` takes these lines out"
_END: Final = "# <<< codex-rotate bind <<<"

_APPENDED: Final = ""
_CUT_OFF: Final = ", the line before had no end"
_NEW: Final = ", the file is new"
_BEGIN: Final = re.compile(rf"# >>> codex-rotate bind ([0-9a-f]{{8}})({_CUT_OFF}|{_NEW}|): {_ADVICE} >>>")

_PLAIN: Final = re.compile(r"[\w.:/,@%+~-]*", re.ASCII)
_ASSIGNMENT: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*)", re.DOTALL)


class DamagedBlock(Exception):
    """What is there is not the block as it was written. `line` counts from 1."""

    def __init__(self, line: int, trouble: str) -> None:
        super().__init__(f"line {line}: {trouble}")
        self.line = line
        self.trouble = trouble


class Unwritable(ValueError):
    """A value that the client could not read back from the file."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where the user's own part of the file sets a variable."""

    line: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class _Found:
    """The block: its first line and the one after its last, what was there before, and the lines themselves."""

    start: int
    stop: int
    before: str
    shown: tuple[str, ...]


# --- the block -------------------------------------------------------------------------------------------------------


def bind(content: bytes | None, variables: Mapping[str, str]) -> bytes:
    """The file with the block in it, last; a block that was there is replaced. None stands for no file.

    Raises DamagedBlock, or Unwritable for a value that the file cannot hold.
    """
    own = unbind(content)
    before = _NEW if own is None else _CUT_OFF if own and not own.endswith(b"\n") else _APPENDED
    own = own or b""
    ending = b"\r\n" if own[: own.rfind(b"\n") + 1].endswith(b"\r\n") else b"\n"
    inside = [f"{name}={_quoted(value)}" for name, value in variables.items()]
    begin = f"# >>> codex-rotate bind {_digest(before, inside)}{before}: {_ADVICE} >>>"
    block = b"".join(line.encode() + ending for line in (begin, *inside, _END))
    return own + (ending if before == _CUT_OFF else b"") + block


def unbind(content: bytes | None) -> bytes | None:
    """The file as it was before the block, None when there was none. Raises DamagedBlock."""
    lines = _lines(content)
    found = _find(lines)
    if found is None:
        return content
    ahead, behind = b"".join(lines[: found.start]), b"".join(lines[found.stop :])
    if found.before == _CUT_OFF and not behind:
        ahead = ahead[: -len(_ending(lines[found.start]))]
    if found.before == _NEW and not ahead and not behind:
        return None
    return ahead + behind


def block(content: bytes | None) -> tuple[str, ...]:
    """The lines of the block that is there, markers included. Raises DamagedBlock."""
    found = _find(_lines(content))
    return found.shown if found else ()


def block_values(content: bytes | None) -> dict[str, str]:
    """What the block sets. Raises DamagedBlock."""
    pairs = (line.partition("=") for line in block(content) if not line.startswith("#"))
    return {name: _unquoted(value) for name, _, value in pairs}


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _find(lines: Sequence[bytes]) -> _Found | None:
    begins = [number for number, line in enumerate(lines) if line.lstrip().startswith(_OPENING)]
    ends = [number for number, line in enumerate(lines) if line.lstrip().startswith(_CLOSING)]
    if not begins and not ends:
        return None
    if len(begins) > 1 or len(ends) > 1:
        raise DamagedBlock(min(begins[1:] + ends[1:]) + 1, "a marker of codex-rotate is there a second time")
    if not begins or not ends or begins > ends:
        raise DamagedBlock(min(begins + ends) + 1, "a marker of codex-rotate is there without the other one")
    start, stop = begins[0], ends[0] + 1
    endings = {_ending(line) for line in lines[start : stop - 1]} | ({_ending(lines[stop - 1])} - {b""})
    shown = tuple(_bare(line).decode("utf-8", "backslashreplace") for line in lines[start:stop])
    marked = _BEGIN.fullmatch(shown[0])
    if not marked or shown[-1] != _END or len(endings) > 1 or marked[1] != _digest(marked[2], shown[1:-1]):
        raise DamagedBlock(start + 1, "the block of codex-rotate that begins here was edited")
    return _Found(start, stop, marked[2], shown)


def _digest(before: str, inside: Sequence[str]) -> str:
    return hashlib.sha256("\n".join((before, *inside)).encode()).hexdigest()[:8]


def _quoted(value: str) -> str:
    """As the client's reader takes it: within double quotes, a backslash keeps the next character what it is."""
    if not value.isprintable():
        raise Unwritable(f"{value!r} has characters that the client's .env cannot hold")
    if _PLAIN.fullmatch(value):
        return value
    return '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"'


def _lines(content: bytes | None) -> list[bytes]:
    """Split at line feeds only, as the client does; a carriage return alone ends nothing."""
    return re.findall(rb"[^\n]*\n|[^\n]+", content or b"")


def _ending(line: bytes) -> bytes:
    return line[len(_bare(line)) :]


def _bare(line: bytes) -> bytes:
    return line[:-1].removesuffix(b"\r") if line.endswith(b"\n") else line


# --- the user's part -------------------------------------------------------------------------------------------------


def assignments(content: bytes | None) -> list[Assignment]:
    """What the user's part of the file sets, as the client reads it. Raises DamagedBlock."""
    lines = _lines(content)
    found = _find(lines)
    ours = range(found.start, found.stop) if found else range(0)
    made = []
    for number, text, _ in _statements(lines):
        matched = _ASSIGNMENT.match(text)
        if matched and number not in ours:
            made.append(Assignment(number + 1, matched[1], _plain_value(matched[2])))
    return made


def open_quote(content: bytes | None) -> int | None:
    """The line of the user's part with a quote that is never closed: the client would take the block for its rest."""
    unfinished = [number + 1 for number, _, closed in _statements(_lines(unbind(content))) if not closed]
    return unfinished[0] if unfinished else None


def _statements(lines: Sequence[bytes]) -> Iterator[tuple[int, str, bool]]:
    """Each line with those that a quote joins to it: the number of the first, the text, whether the quote closes."""
    start, text, quote = 0, "", ""
    for number, line in enumerate(lines):
        try:
            decoded = line.decode()
        except UnicodeDecodeError:  # the client drops such a line, with all that it had joined so far
            text, quote = "", ""
            continue
        if not text:
            start = number
            if decoded.lstrip().startswith("#"):
                continue
        quote, length = _scan(decoded, quote)
        text += decoded[:length]
        if not quote:
            yield start, text, True
            text = ""
    if quote:
        yield start, text, False


def _scan(line: str, quote: str) -> tuple[str, int]:
    """The quote that is open after this line, and how much of the line is not a comment.

    A backslash hides the next character, within quotes of both kinds too. A comment begins at a # after a blank, but
    not after two: the client takes every second blank in a row for part of the value.
    """
    hidden, blank = False, False
    for position, character in enumerate(line):
        if hidden:
            hidden = False
        elif character == "\\":
            hidden, blank = True, False
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote, blank = character, False
        elif blank and character == "#":
            return "", position
        else:
            blank = character.isspace() and character not in "\r\n" and not blank
    return quote, len(line)


def _plain_value(text: str) -> str:
    """A value without its quotes; good enough for addresses and lists of hosts, which have nothing to hide."""
    value = text.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
