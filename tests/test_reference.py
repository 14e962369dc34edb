"""docs/reference/ is what the code says."""

import ast
import re
from pathlib import Path

import pytest

from scripts import reference

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.pages()


def test_no_page_is_stale(pages: dict[str, str]) -> None:
    """Whoever changes an option, a setting or an event also runs `make reference`."""
    written = {path.name: path.read_text("utf-8") for path in (ROOT / "docs" / "reference").glob("*.md")}
    stale = sorted(name for name in pages.keys() | written.keys() if pages.get(name) != written.get(name))
    assert not stale, "run `make reference`"


def test_every_error_of_the_proxy_is_shown(pages: dict[str, str]) -> None:
    """No type that a client can get is missing."""
    literals = {
        node.value
        for path in (ROOT / "addons").rglob("*.py")
        if "codex_rotate_" in (text := path.read_text("utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    types = {text for text in literals if re.fullmatch(r"codex_rotate_[a-z_]+[a-z]", text)}
    assert len(types) > 5
    assert not {kind for kind in types if kind not in pages["errors.md"]}


def test_a_word_that_is_missing_or_dead_is_named() -> None:
    """Writing stops, so that no event goes unexplained."""
    with pytest.raises(reference.Stale, match=r"missing \['new'\], not in the code \['gone'\]"):
        reference.agree("EVENTS", {"here": "", "gone": ""}, ["here", "new"])


def test_a_table_keeps_its_cells_apart() -> None:
    """A pipe or a line end inside a cell does not end it."""
    assert reference.table(("a", "b"), [("x|y", "two\nlines")]).splitlines()[-1] == r"| x\|y | two lines |"


def test_writing_twice_changes_nothing_and_dead_pages_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "reference")
    assert reference.main() == 0
    assert "docs/reference/commands.md" in capsys.readouterr().out
    (tmp_path / "reference" / "dead.md").write_text("# Dead\n")
    assert reference.main() == 0
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "reference" / "dead.md").exists()
