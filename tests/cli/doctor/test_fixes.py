"""What `--fix` does: each repair, once; and nothing where there is nothing to mend."""

import shutil
import sys
from pathlib import Path

import pytest

from certs import ca
from cli.doctor.checks import look
from cli.doctor.fixes import due, mend
from config import clock
from config.paths import make_private_folder
from tests.cli.conftest import Fill
from tests.cli.doctors import fake_codex, private

DAY = 86_400.0


@pytest.fixture
def environ(tmp_path: Path, home: Path) -> dict[str, str]:
    (tmp_path / "codex").mkdir()
    make_private_folder(home)
    return {
        "CODEX_HOME": str(tmp_path / "codex"),
        "CODEX_ROTATE_HOME": str(home),
        "PATH": str(fake_codex(tmp_path / "b")),
    }


def test_a_missing_ca_is_made_and_a_good_one_left(environ: dict[str, str], home: Path, fill: Fill) -> None:
    fill("ann")
    done, failed = mend(due(look(environ, clock.now())))
    assert (["was made" in each for each in done], failed) == ([True], [])
    assert mend(due(look(environ, clock.now()))) == ([], [])


def test_on_a_new_machine_the_folder_is_private_too(environ: dict[str, str], home: Path) -> None:
    home.rmdir()
    assert len(mend(due(look(environ, clock.now())))[0]) == 1
    assert mend(due(look(environ, clock.now()))) == ([], [])


def test_one_that_is_due_is_renewed(environ: dict[str, str], home: Path) -> None:
    """The old one stays trusted."""
    ca.create(home / "ca", clock.now() - 340 * DAY)
    done, failed = mend(due(look(environ, clock.now())))
    assert (["was made" in each for each in done], failed) == ([True], [])
    assert len(ca.kept(home / "ca", clock.now())) == 1
    assert mend(due(look(environ, clock.now()))) == ([], [])


def test_a_stale_copy_of_the_certificate(environ: dict[str, str], home: Path, tmp_path: Path) -> None:
    ca.create(home / "ca", clock.now())
    other = ca.create(tmp_path / "other", clock.now())
    shutil.copy(other.certificate_file, home / "ca" / ca.CERTIFICATE_FILE)
    done, failed = mend(due(look(environ, clock.now())))
    assert (["written again" in each for each in done], failed) == ([True], [])
    assert look(environ, clock.now()).ca.usable


def test_a_damaged_ca_is_for_a_person_to_decide(environ: dict[str, str], home: Path) -> None:
    ca.create(home / "ca", clock.now())
    private(home / "ca" / ca.KEY_FILE, "nonsense")
    assert mend(due(look(environ, clock.now()))) == ([], [])
    assert (home / "ca" / ca.KEY_FILE).read_text() == "nonsense"


@pytest.mark.skipif(sys.platform == "win32", reason="modes are a POSIX matter")
def test_what_fails_is_told_and_the_rest_is_done(environ: dict[str, str], home: Path) -> None:
    """Files that are gone by then, here."""
    ca.create(home / "ca", clock.now())
    for name in ("client.key", "config.toml"):
        private(home / name, "").chmod(0o644)
    facts = look(environ, clock.now())
    (home / "client.key").unlink()
    done, failed = mend(due(facts))
    assert (["config.toml" in each for each in done], ["client.key" in each for each in failed]) == ([True], [True])


def test_what_would_be_done_is_said_and_nothing_is_done(environ: dict[str, str], home: Path, fill: Fill) -> None:
    """A sentence each, and the machine is as before."""
    fill("ann")
    (home / "pool.db").chmod(0o644)
    (home / "config.toml").touch(mode=0o644)
    facts = look(environ, clock.now())
    planned = [each.what for each in due(facts)]
    assert len(planned) == 2
    assert all(each.endswith(".") and " would be " in each for each in planned)
    assert not (home / "ca").exists()
    assert len(due(look(environ, clock.now()))) == 2
