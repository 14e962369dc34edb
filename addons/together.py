"""Our addons as one: for every hook mitmproxy walks all addons there are, and a request has some twenty hooks."""

from collections.abc import Callable, Sequence
from typing import Any

from mitmproxy.hooks import all_hooks


class Together:
    """Hands each hook to those of ours that have it, in their order, and has the commands of all.

    One that raises keeps the later ones from being called, as it would if they were registered one by one.
    """

    name = "codex_rotate"

    def __init__(self, *addons: object) -> None:
        for hook in all_hooks:
            found = [getattr(each, hook) for each in addons if callable(getattr(each, hook, None))]
            if found:
                setattr(self, hook, found[0] if len(found) == 1 else _in_turn(found))
        for each in addons:
            for attribute in dir(type(each)):
                if isinstance(getattr(getattr(type(each), attribute), "command_name", None), str):
                    setattr(self, f"command_{attribute}", getattr(each, attribute))


def _in_turn(hooks: Sequence[Callable[..., None]]) -> Callable[..., None]:
    def each_in_turn(*args: Any) -> None:
        for hook in hooks:
            hook(*args)

    return each_in_turn
