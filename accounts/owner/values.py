"""What an owner sets for an account, as it is typed: tags, and a part that is kept. Pure."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from accounts.errors import UsageError

LONGEST_TAG: Final = 30
_PERCENT: Final = re.compile(r"(\d{1,3})\s*%?", re.ASCII)


class TagEdit(NamedTuple):
    """Tags that come, and those that go."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def read_tags(changes: Sequence[str], removed: Sequence[str]) -> TagEdit:
    """Which tags to add and which to take away: `+x` or `x`, and `-x`. Raises UsageError."""
    for word in changes:
        if word.startswith("--"):
            raise UsageError(f"There is no option {word}. See `codex-rotate tag --help`.")
    more = tuple(_checked_tag(word.removeprefix("+")) for word in changes if not word.startswith("-"))
    less = tuple(_checked_tag(word) for word in (*(w[1:] for w in changes if w.startswith("-")), *removed))
    if both := {tag.casefold() for tag in more} & {tag.casefold() for tag in less}:
        raise UsageError(f"{', '.join(sorted(both))}: to be added and taken away at once. Say one of them.")
    return TagEdit(more, less)


def _checked_tag(tag: str) -> str:
    if not tag or len(tag) > LONGEST_TAG or not tag.isprintable() or re.search(r"[\s,#]", tag) or tag[0] in "+-":
        raise UsageError(
            f"{tag!r} cannot be a tag: that is one word of at most {LONGEST_TAG} characters, without commas and #. "
            "Choose another one."
        )
    return tag


def read_percent(text: str) -> int:
    """How much of each window is kept: `20`, `20 %`. Raises UsageError."""
    found = _PERCENT.fullmatch(text.strip())
    if found is None or int(found[1]) > 100:
        raise UsageError(f"What is kept is a whole number from 0 to 100, not {text!r}. Say 20 for 20 %.")
    return int(found[1])
