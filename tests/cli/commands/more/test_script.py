"""`script` says where the proxy lies."""

from pathlib import Path

import pytest

from cli.commands.more.script import script
from config.errors import RotateError
from tests.cli.conftest import Run


def test_script(run: Run, tmp_path: Path) -> None:
    """An absolute path on a line of its own, fit for `mitmdump -s "$(codex-rotate script)"`."""
    (tmp_path / "rotate.py").touch()
    result = script(tmp_path)
    assert result.message == str(tmp_path / "rotate.py")
    assert result.data == {"script": result.message}
    printed = Path(run("script").out.removesuffix("\n"))
    assert printed.is_absolute()
    assert printed.name == "rotate.py"


def test_script_of_an_incomplete_installation(tmp_path: Path) -> None:
    """A path that does not exist is never printed."""
    with pytest.raises(RotateError, match="Install codex-rotate again"):
        script(tmp_path)
