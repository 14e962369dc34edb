"""What `doctor` finds without asking anybody, for the page."""

from pathlib import Path

from cli.doctor.page import ASKING, findings


def test_nothing_is_asked_and_nothing_is_made(tmp_path: Path, home: Path) -> None:
    found = findings({"CODEX_HOME": str(tmp_path), "CODEX_ROTATE_HOME": str(home), "PATH": ""})
    assert not home.exists()
    assert found
    assert not {each.group for each in found} & ASKING
