"""One test over all rows of a table.

pytest spends longer on a test than most rows take. Where nothing has to be set up for a row, one test goes through all
of them, and whatever is wrong is told with the rows it is wrong for.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import pytest

_NAMED: Final = type(pytest.param())


def all_rows(names: str | Sequence[str], rows: Iterable[Any], **_: Any) -> Callable[[Callable[..., None]], Any]:
    """In the place of `pytest.mark.parametrize`, for tests that take nothing but what tables give them."""
    listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    bare = isinstance(names, str) and len(listed) == 1
    table = [row.values if isinstance(row, _NAMED) else (row,) if bare else row for row in rows]

    def over(test: Callable[..., None]) -> Callable[..., None]:
        taken = inspect.signature(test)

        @functools.wraps(test)
        def whole(**more: Any) -> None:
            wrong: list[Exception] = []
            for row in table:
                given = dict(zip(listed, row, strict=True))
                try:
                    test(**given, **more)
                except Exception as e:  # noqa: BLE001 - whatever it is, the other rows are tried as well
                    e.add_note(f"for {given!r}")
                    wrong.append(e)
            if len(wrong) > 1:
                raise ExceptionGroup(f"{len(wrong)} of {len(table)} rows", wrong)
            if wrong:
                raise wrong[0]

        del whole.__wrapped__  # type: ignore[attr-defined]
        left = [given for name, given in taken.parameters.items() if name not in listed]
        whole.__signature__ = taken.replace(parameters=left)  # type: ignore[attr-defined]
        return whole

    return over
