"""Reads options without copying what cannot change.

A turn asks for thirty. mitmproxy copies the value of each, whatever it is, and where nobody has set it its default too.
"""

from copy import deepcopy
from typing import Any, Final

from mitmproxy import optmanager

_UNCHANGEABLE: Final = (str, bool, int, float, type(None))


def quicken_options() -> None:
    """In this process: the same values."""
    optmanager._Option.current = _current  # type: ignore[method-assign]  # noqa: SLF001 - all options are of it


def _current(self: optmanager._Option) -> Any:
    value = self._default if self.value is optmanager.unset else self.value
    return value if type(value) in _UNCHANGEABLE else deepcopy(value)
