"""The stores of this machine, and the programs that change them."""

import os
import sys
from pathlib import Path

import pytest

from cli.running.trust_stores import stores_here, this_machine
from tests.cli.conftest import Run


def test_this_machine_runs_programs_and_reports_those_that_are_not_there(tmp_path: Path) -> None:
    """Like one that fails: it may be gone since it was looked for."""
    machine = this_machine()
    ended = machine.run([sys.executable, "-c", "import os; print(os.environ['LC_ALL'])"])
    assert (ended.code, ended.out) == (0, "C\n")
    missing = machine.run([str(tmp_path / "no such program")])
    assert missing.code == 127
    assert missing.err
    assert machine.find("no such program") is None
    assert machine.system == sys.platform


@pytest.mark.skipif(os.name != "posix", reason="administrators' programs are in folders of their own on POSIX")
def test_tools_that_the_user_s_path_does_not_lead_to_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Debian keeps update-ca-certificates where only root's PATH leads."""
    monkeypatch.setenv("PATH", str(tmp_path))
    found = [this_machine().find(name) for name in ("update-ca-certificates", "mount", "ldconfig", "chroot")]
    if not any(found) and not any(Path("/usr/sbin").glob("*")):
        pytest.skip("nothing is in /usr/sbin here")
    assert any(found)


def test_the_real_stores_of_this_machine_can_be_looked_at(run: Run) -> None:
    """Nothing more: whoever runs the tests may have a CA of their own in them."""
    looked = [store.check() for store in stores_here()]
    data = run("ca", "status", "--json").json
    assert len(data["trusted_by"]) == len(looked)
