"""How somebody wants the screen, kept between two of them: `top.json` in our folder."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from cli.top.palettes import Accent, Palette
from config import paths
from config.files import write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """`detailed`: rows tell all that is known and take more lines."""

    palette: Palette = Palette.DARK
    accent: Accent = Accent.BLUE
    detailed: bool = False


def preferences_file() -> Path:
    return paths.home() / "top.json"


def load(file: Path) -> Preferences:
    """What was kept. What cannot be read, or is not known here, is as usual."""
    usual = Preferences()
    try:
        told = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return usual
    if not isinstance(told, dict):
        return usual
    return Preferences(
        palette=_known(told.get("palette"), usual.palette),
        accent=_known(told.get("accent"), usual.accent),
        detailed=told.get("detailed") is True,
    )


def save(file: Path, wanted: Preferences) -> None:
    """Keep them, unless they are kept already. Raises OSError, and ConfigError for a folder that is not ours."""
    if load(file) == wanted:
        return
    paths.make_private_folder(file.parent)
    write_private(file, json.dumps(asdict(wanted)).encode() + b"\n")


def _known[T: StrEnum](said: object, usual: T) -> T:
    names = {str(each): each for each in type(usual)}
    return names.get(said, usual) if isinstance(said, str) else usual
