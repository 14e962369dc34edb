"""How a transcript is written: YAML in shape, so that mitmproxy colours it, and bounded for the viewer's sake. Pure.

Prose is wrapped, because mitmweb does not; code, calls and JSON are left as they are. Whatever looks like a credential
is masked, wherever it is.
"""

import json
import re
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from addons.redaction.masking import masked_text
from addons.redaction.patterns import IN_VIEWS, SECRET, is_secret_field, seal

MOST: Final = 400_000
"""Characters of a whole transcript."""
PIECE: Final = 40_000
"""Characters of one text in it."""
ONE_LINE: Final = 76
"""Characters of what is told in one line: a title and a size go beside it."""
WIDTH: Final = 78
"""Columns of prose, without its indentation: what mitmweb shows beside its list in a window of 1400 pixels."""

_DATA: Final = re.compile(r"data:([\w.+/-]{1,60})[\w;=.-]{0,60},")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_/<(](?:[^\x00-\x1f\x7f:#]|:(?! |$)|(?<! )#)*")
_QUOTED: Final = re.compile(r'["\\]')
_EMPTY: Final = re.compile(r"^(?=\n)", re.MULTILINE)
"""Lines that mitmweb would not show: it gives each one a box, and an empty box has no height."""
_BREAK: Final = re.compile(r"\r\n?")
_DEEPEST: Final = 12
_WIDEST: Final = 200


def masked(text: str) -> str:
    """The text without what looks like a credential or a sealed content. Safe to use twice."""
    return masked_text(text, IN_VIEWS)


def finished(lines: list[str]) -> str:
    """The transcript: masked, bounded, and nothing in it that cannot be encoded."""
    text = cut(masked("\n".join(lines)), MOST)
    text = _EMPTY.sub(" ", text)
    return text.encode("utf-8", "replace").decode() + "\n"


def cut(text: str, most: int) -> str:
    """The beginning of a text that is too long, and how much more there is."""
    return text if len(text) <= most else f"{text[:most]}\n… {len(text) - most:,} more characters"


def opening(text: str, lines: int, most: int) -> str:
    """The first lines of a text, and how many more there are."""
    text = _BREAK.sub("\n", text).rstrip("\n")
    first = text.split("\n", lines)
    left = first[lines].count("\n") + 1 if len(first) > lines else 0
    return cut("\n".join(first[:lines]), most) + (f"\n… {left:,} more lines" if left else "")


def prose(text: str) -> str:
    """A text in lines of at most WIDTH columns. What has no spaces to break it at stays in one."""
    return "\n".join(_wrapped(line) for line in _BREAK.sub("\n", text[: PIECE * 2]).split("\n")) + text[PIECE * 2 :]


def _wrapped(line: str) -> str:
    if len(line) <= WIDTH:
        return line
    hang = " " * min(len(line) - len(line.lstrip()), WIDTH // 2)
    return textwrap.fill(
        line, WIDTH, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False, expand_tabs=False
    )


def folded(text: str, width: int = ONE_LINE) -> str:
    """A text in one line: all of it if it fits, else its beginning and its size."""
    head = text[: width * 20]
    beginning = " ".join(masked(head).split())
    if len(beginning) <= width and len(head) == len(text):
        return beginning
    lines = text.count("\n") + 1
    size = f"{f'{lines:,} lines, ' if lines > 1 else ''}{len(text):,} characters"
    return f"{beginning[:width].rstrip()} … ({size})"


def scalar(text: str) -> str:
    """A value in one line, in quotes if YAML would take it for something else."""
    if _PLAIN.fullmatch(text) and not text.endswith(" "):
        return text
    if _QUOTED.search(text) and text.isprintable():
        return "'" + text.replace("'", "''") + "'"  # nothing is escaped in these, which is easier to read
    return json.dumps(text, ensure_ascii=False)


def entry(title: str, text: str, *, indent: int, most: int = PIECE) -> list[str]:
    """A title and its text: beside it if short, else as a block below it. `indent` is where the title stands."""
    text = cut(masked(_BREAK.sub("\n", text)), most).rstrip("\n")
    if "\n" not in text and len(text) <= WIDTH:
        return [f"{title}: {scalar(text)}".rstrip()]
    space = " " * (indent + 2)
    hint = "2" if text.lstrip("\n").startswith(" ") else ""
    return [f"{title}: |{hint}", *(space + line if line else "" for line in text.split("\n"))]


def block(title: str, value: object, *, indent: int, most: int = PIECE) -> list[str]:
    """A title and a JSON value: beside it if short, else over several lines below it."""
    text = pretty(value)
    if "\n" not in text and indent + len(title) + len(text) <= WIDTH:
        return [f"{title}: {text}"]
    if len(text) > most:
        return entry(title, text, indent=indent, most=most)  # cut short it is JSON no more
    space = " " * (indent + 2)
    return [f"{title}:", *(space + line for line in text.split("\n"))]


def fields(title: str, value: Mapping[str, object], *, indent: int) -> list[str]:
    """A title and an object whose texts have several lines: each text as it is, not as JSON writes it."""
    lines = [f"{title}:"]
    for key, each in scrubbed(dict(value)).items():  # type: ignore[attr-defined]
        make = entry if isinstance(each, str) else block
        first, *rest = make(key, each, indent=indent + 2)
        lines += [" " * (indent + 2) + first, *rest]
    return lines


def pretty(value: object) -> str:
    """JSON without credentials and sealed contents, in one line where that fits."""
    shown = scrubbed(value)
    line = json.dumps(shown, ensure_ascii=False)
    return line if len(line) <= WIDTH else json.dumps(shown, ensure_ascii=False, indent=2)


def scrubbed(value: object, name: str = "", depth: int = 0) -> object:
    """A JSON value that can be shown: secrets masked by their names, sealed and binary parts by their size."""
    if isinstance(value, str):
        return _shown(value, name)
    if name and value and is_secret_field(name) and not isinstance(value, bool | int | float):
        return SECRET.decode()
    if depth >= _DEEPEST and isinstance(value, Mapping | list):
        return "…"
    if isinstance(value, Mapping):
        kept = {masked(key): scrubbed(each, key, depth + 1) for key, each in list(value.items())[:_WIDEST]}
        return kept | ({"…": f"{len(value) - _WIDEST:,} more"} if len(value) > _WIDEST else {})
    if isinstance(value, list):
        more = [f"… {len(value) - _WIDEST:,} more"] if len(value) > _WIDEST else []
        return [scrubbed(each, name, depth + 1) for each in value[:_WIDEST]] + more
    return value


def moment(seconds: float) -> str:
    """A time in words; the bare number if no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:g}"


def _shown(text: str, name: str) -> str:
    if name == "encrypted_content" and text:
        return seal(text, "")
    if text and is_secret_field(name):
        return SECRET.decode()
    data = _DATA.match(text)
    if data:
        return f"{data[1]}, {len(text):,} characters"
    return cut(masked(text), PIECE // 10)
