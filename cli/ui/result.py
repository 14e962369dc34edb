"""What a command has to say. Commands return it; only cli/ui/render.py prints."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text under headings. On a narrow terminal the `clipped` columns lose their ends, the `wrapped` ones take
    more lines, and the others stay whole. `narrow` is what a terminal gets that has no place for this table even so."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    clipped: frozenset[str] = frozenset()
    wrapped: frozenset[str] = frozenset()
    narrow: "Table | None" = None


@dataclass(frozen=True, slots=True)
class Result:
    """`message` and `table` are for people, `data` is what `--json` prints instead. `notes` go to stderr either way.
    A message that is `verbatim` is for a shell or to be copied: its lines are never broken.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing usable.
    """

    message: str
    data: object = field(default_factory=dict)
    exit_code: int = 0
    table: Table | None = None
    notes: tuple[str, ...] = ()
    verbatim: bool = False
