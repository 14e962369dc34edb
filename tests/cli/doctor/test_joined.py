"""`doctor` says what was joined, and judges a user without a pool by that."""

from dataclasses import replace
from pathlib import Path

import pytest

from certs import ca
from cli.doctor import checks
from cli.doctor import joined as doctor_joined
from cli.doctor.finding import Severity
from cli.doctor.joined import Joined
from cli.running import joined
from config import clock
from config.join_file import Invitation


@pytest.mark.parametrize(
    ("found", "accounts", "states"),
    [
        (Joined(), 0, []),
        (Joined(), 2, []),
        (Joined(place="a:1", name="ann"), 0, [Severity.OK]),
        (Joined(place="a:1", name="ann"), 2, [Severity.OK, Severity.NOTE]),
        (Joined(place="a:1", name="ann", trouble="It is silent. Ask."), 2, [Severity.PROBLEM]),
        (Joined(place="a:1", certificate_trouble="It has expired. Ask."), 0, [Severity.OK, Severity.PROBLEM]),
    ],
)
def test_what_is_said(found: Joined, accounts: int, states: list[Severity]) -> None:
    assert [each.state for each in doctor_joined.joins(found, accounts=accounts)] == states


def test_nothing_is_joined(tmp_path: Path) -> None:
    assert doctor_joined.gather({"CODEX_ROTATE_HOME": str(tmp_path)}, clock.now()) == Joined()


def test_a_proxy_that_is_silent_and_a_file_that_is_damaged(tmp_path: Path) -> None:
    environ = {"CODEX_ROTATE_HOME": str(tmp_path / "home")}
    made = ca.create(tmp_path / "ca", clock.now()).trusted_file.read_text()
    joined.keep(Invitation(host="127.0.0.1", port=9, name="ann", key="k" * 43, certificate=made), environ)
    found = doctor_joined.gather(environ, clock.now())
    assert (found.place, found.name, "does not answer" in found.trouble) == ("127.0.0.1:9", "ann", True)
    (joined.folder(environ) / joined.FILE).write_text("x")
    assert "join FILE" in doctor_joined.gather(environ, clock.now()).trouble


def test_who_has_no_pool_is_not_asked_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither accounts nor a CA nor a backup are missed; the client and the files are looked at as ever."""
    monkeypatch.setenv("PATH", str(tmp_path))
    environ = {"CODEX_ROTATE_HOME": str(tmp_path / "home"), "CODEX_HOME": str(tmp_path), "PATH": str(tmp_path)}
    facts = checks.look(environ, clock.now())
    alone = {finding.name for _, finding in checks.judged(facts)}
    guest = replace(facts, joined=Joined(place="a:1", name="ann"))
    names = {finding.name for _, finding in checks.judged(guest)}
    assert alone - names == {"accounts.any", "ca.usable", "storage.backup", "proxy.running", "proxy.port"} & alone
    assert "joined.proxy" in names
    assert not facts.guest
