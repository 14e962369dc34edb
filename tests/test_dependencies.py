"""What is imported is declared, and what is declared is imported.

mitmproxy brings much of what this project imports, and a release of it may bring less. What its installation then gets
is tried by scripts/check_install.py.
"""

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SHIPPED: Final = (*PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"], "codex_rotate.py")
BESIDE: Final = ("tests", "benchmarks", "scripts")
"""What only a clone has."""
OWN: Final = {Path(name).stem for name in (*SHIPPED, *BESIDE)}

PYTHON: Final = sys.stdlib_module_names | {"compression"}
"""Modules that come with Python, newer ones included."""
NOT_DECLARED: Final = {
    "hatchling": "scripts/wheel_hook.py: it is hatchling that runs it, as pyproject.toml says under build-system",
}
"""Modules that a clone imports and no extra brings, each with the reason."""
NOT_IMPORTED: Final = {
    "mypy": "a program: `make lint`",
    "pytest-asyncio": "a plugin of pytest",
    "ruff": "a program: `make lint`",
    "uv": "a program: scripts/check_install.py",
}
"""Distributions of the extra `dev` that nothing imports, each with the reason."""


ON_REQUEST: Final = {
    "matplotlib": "plot",
    "textual": "top",
}
"""Modules that the product imports only when somebody asks for what an extra is for, and that extra."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: Iterable[str]) -> set[str]:
    """The distributions that requirements name."""
    return {canonical(found[0]) for each in requirements if (found := re.match(r"[\w.-]+", each))}


@functools.cache
def modules(path: Path) -> frozenset[str]:
    """The top-level modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return frozenset(name.partition(".")[0] for name in found)


_IMPORTING: Final = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+(\w[\w., \t]*))", re.MULTILINE)


def looked_for(text: str) -> set[str]:
    """At least the modules that `modules` finds in a file of that text. A parser takes its time, so it is asked where
    something depends on it."""
    found = {name for one, several in _IMPORTING.findall(text) for name in (one or several).split(",")}
    return {name.split()[0].partition(".")[0] for name in found if name.strip()}


@functools.cache
def suspected(*names: str) -> dict[str, list[Path]]:
    """Modules of others, each with the files of these folders, or those of these files, that may import it."""
    found: dict[str, list[Path]] = {}
    for name in names:
        place = ROOT / name
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            if "node_modules" not in path.parts:
                for module in looked_for(path.read_text("utf-8")) - OWN - PYTHON:
                    found.setdefault(module, []).append(path)
    return found


def foreign(names: Iterable[str]) -> dict[str, str]:
    """Modules of others that the files of these folders, or these files, import: each with one that does."""
    return {
        module: who.relative_to(ROOT).as_posix()
        for module, paths in suspected(*names).items()
        if (who := next((path for path in paths if module in modules(path)), None))
    }


bringing = functools.cache(packages_distributions)


def undeclared(imported: dict[str, str], distributions: set[str]) -> list[str]:
    """Modules that none of the distributions brings, each with a file that imports it."""
    brought = bringing()
    return [
        f"{module} ({file})"
        for module, file in sorted(imported.items())
        if not {canonical(name) for name in brought.get(module, ())} & distributions
    ]


def unused(distributions: set[str], imported: Iterable[str]) -> set[str]:
    brought = bringing()
    return distributions - {canonical(name) for module in imported for name in brought.get(module, ())}


NEEDED: Final = declared(PROJECT["project"]["dependencies"])
DEV: Final = declared(PROJECT["project"]["optional-dependencies"]["dev"])


def test_what_the_product_imports_is_declared() -> None:
    assert undeclared({m: file for m, file in foreign(SHIPPED).items() if m not in ON_REQUEST}, NEEDED) == []


def test_what_it_imports_on_request_is_in_an_extra() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    for module, extra in ON_REQUEST.items():
        assert undeclared({module: foreign(SHIPPED)[module]}, declared(extras[extra])) == []


def test_what_only_a_clone_imports_is_in_the_extra() -> None:
    imported = {module: file for module, file in foreign(BESIDE).items() if module not in NOT_DECLARED}
    assert undeclared(imported, NEEDED | DEV) == []


def test_nothing_is_declared_that_is_not_imported() -> None:
    assert unused(NEEDED, foreign(SHIPPED)) == set()
    assert unused(DEV, foreign(BESIDE)) == NOT_IMPORTED.keys()


def test_nothing_is_declared_twice() -> None:
    assert not NEEDED & DEV


def test_the_exceptions_are_exceptions() -> None:
    """What is declared by now, or not imported any more, leaves the list."""
    assert NOT_DECLARED.keys() <= foreign(BESIDE).keys()
    assert undeclared(dict.fromkeys(NOT_DECLARED, ""), NEEDED | DEV) == [f"{name} ()" for name in NOT_DECLARED]


def test_what_the_wheel_names_is_there() -> None:
    """The wheel's list names what there is; what is not there would be left out in silence."""
    assert all((ROOT / name).exists() for name in SHIPPED)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import a.b, c as d", {"a", "c"}),
        ("from e.f import g", {"e"}),
        ("def late():\n    from h import i", {"h"}),
        ("try:\n    import j\nexcept ImportError:\n    import k", {"j", "k"}),
    ],
)
def test_imports_are_found_wherever_they_stand(tmp_path: Path, text: str, found: set[str]) -> None:
    file = tmp_path / "some.py"
    file.write_text(text)
    assert modules(file) == found
    assert looked_for(text) == found
