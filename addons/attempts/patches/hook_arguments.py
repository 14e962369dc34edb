"""Finds a hook's arguments without asking anew what fields its class has: a turn has four hooks, each asked three
times."""

import dataclasses
import functools
from typing import Any

from mitmproxy import hooks


def quicken_hooks() -> None:
    """In this process: the same arguments."""
    hooks.Hook.args = _args  # type: ignore[method-assign]


def _args(self: hooks.Hook) -> list[Any]:
    return [getattr(self, name) for name in _fields(type(self))]  # type: ignore[arg-type]


@functools.cache
def _fields(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(kind))
