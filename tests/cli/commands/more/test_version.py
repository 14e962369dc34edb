"""`--version` prints the version alone."""

from cli.commands.more.version import show_version
from config.version import current


def test_people_get_the_name_and_programs_the_number() -> None:
    assert show_version().message == f"codex-rotate {current()}"
    assert show_version().data == {"version": current()}
