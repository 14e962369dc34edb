"""HTML from values: whatever is not HTML already is escaped. Pure."""

from collections.abc import Iterable
from html import escape
from typing import Final

_EMPTY: Final = frozenset({"input", "link", "meta", "br", "img"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


NOTHING: Final = Html()
type Child = str | int | float | Iterable["Child"] | None
"""None is left out; a text that is no Html is escaped."""


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """An element. `_` in names is `-`, one at the end is left out; True is an attribute without a value, None and False
    are none."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _EMPTY:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Html:
    return Html("".join(map(_shown, children)))


def _shown(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return escape("".join(each if each.isprintable() or each in "\n\t" else " " for each in child))
    if isinstance(child, int | float):
        return str(child)
    return joined(child)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.removesuffix("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
