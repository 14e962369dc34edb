"""The table of checks over all facts, and what keeps requests from being tried."""

from dataclasses import replace
from pathlib import Path

import pytest

from cli.doctor.checks import CHECKS, judged, look, try_out
from config import clock
from tests.cli.conftest import Fill
from tests.cli.doctors import NOTE, PROBLEM, fake_codex, private, short


@pytest.fixture
def environ(tmp_path: Path, home: Path) -> dict[str, str]:
    (tmp_path / "codex").mkdir()
    return {
        "CODEX_HOME": str(tmp_path / "codex"),
        "CODEX_ROTATE_HOME": str(home),
        "PATH": str(fake_codex(tmp_path / "b")),
    }


def test_looking_changes_nothing(environ: dict[str, str], home: Path) -> None:
    """Where there is nothing, nothing is made; every check has something to say or is silent, and none fails."""
    found = judged(try_out(look(environ, clock.now()), environ))
    short(finding for _, finding in found)
    assert not home.exists()
    assert {group for group, _ in found} == {check.group for check in CHECKS}
    assert dict(short(finding for _, finding in found))["probe.proxy"] is NOTE


def test_groups_are_not_scattered() -> None:
    groups = [check.group for check in CHECKS]
    assert groups == sorted(groups, key=groups.index)


def test_of_a_pool_that_cannot_be_opened_the_rest_is_still_told(environ: dict[str, str], home: Path) -> None:
    home.mkdir(mode=0o700)
    private(home / "pool.db", "this is no database, and long enough to be looked at as one " * 50)
    facts = try_out(look(environ, clock.now()), environ)
    found = dict(short(finding for _, finding in judged(facts)))
    assert found["storage.pool"] is PROBLEM
    assert found["client.version"]
    assert found["accounts.any"] is NOTE
    assert "mended" in facts.probe.skipped


def test_what_keeps_requests_from_being_tried(environ: dict[str, str], fill: Fill) -> None:
    """No proxy is started that could not serve, nor one that would make or renew the CA by itself."""
    facts = look(environ, clock.now())
    assert "no accounts" in try_out(facts, environ).probe.skipped
    fill("ann")
    facts = look(environ, clock.now())
    skipped = try_out(facts, environ).probe
    assert ("CA" in skipped.skipped, skipped.broken) == (True, False)
    due = replace(facts, ca=replace(facts.ca, condition="usable", due=True))
    assert "CA" in try_out(due, environ).probe.skipped
    settings = replace(facts, storage=replace(facts.storage, settings_trouble="x"))
    assert "mended" in try_out(settings, environ).probe.skipped
