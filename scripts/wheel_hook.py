# ruff: noqa: INP001 - scripts/ holds programs
"""Makes codex_rotate.py the `__init__.py` of the package that the wheel brings, with the folders beside it as ever.

hatch's own `force-include` would put a copy into editable installations too, which would hide the clone's.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelHook(BuildHookInterface):
    """What hatch calls before it builds a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"]["codex_rotate.py"] = "__init__.py"  # below `sources`
