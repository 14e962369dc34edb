"""A bundle has what support needs and nothing that is secret, wherever on the machine it was."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.model import Account
from cli.commands.wrong.debug import LOG_BYTES, said
from cli.report.redaction import Secret, Sweep
from tests.cli.doctors import private
from tests.cli.plants import Planted, planted_machine

type Run = Callable[..., Any]
type Fill = Callable[..., tuple[Account, ...]]

MEMBERS = {"README.txt", "report.txt", "report.json", "findings.json", "settings.json", "versions.json", "events.jsonl"}


@pytest.fixture
def plants(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    return planted_machine(tmp_path, home, monkeypatch)


def unpacked(file: Path) -> dict[str, str]:
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_none_of_what_was_planted_is_in_it(plants: Planted, run: Run, tmp_path: Path) -> None:
    """More than thirty secrets: labels, notes, events, logs, settings, keys, logins, variables, names of files."""
    assert len(plants.secrets) > 30
    file = tmp_path / "out.zip"
    ran = run("debug", "bundle", "--out", file, "--json")
    assert ran.code == 0, ran.err
    members = unpacked(file)
    assert set(members) > MEMBERS
    for name, content in members.items():
        assert plants.seen_in(f"{name}\n{content}") == [], name
        assert not re.search(r"[\w.]+@[\w-]+\.[a-z]", content), name
    assert plants.seen_in(ran.out + ran.err) == []


def test_what_helps_is_still_there(plants: Planted, run: Run, tmp_path: Path) -> None:
    """Accounts are the same numbers everywhere; what upstream said, versions, settings and logs can be read."""
    file = tmp_path / "out.zip"
    assert run("debug", "bundle", "--out", file).code == 0
    members = unpacked(file)
    events = [json.loads(line) for line in members["events.jsonl"].splitlines()]
    (decision,) = (each for each in events if each["kind"] == "decision")
    assert (decision["account"], decision["thread"], decision["decision"]["model"]) == ("account-1", "thread-1", "")
    names = [each["account"] for each in decision["decision"]["attempts"]]
    assert names == ["account-1", "former-account-1"]
    assert json.loads(members["settings.json"])["upstream_proxy"]["value"] == "http://proxy.example:3128"
    assert [each["account"] for each in json.loads(members["report.json"])["accounts"]] == ["account-1", "account-2"]
    log = members["logs/4711.log"]
    assert (log.splitlines()[0], log.splitlines()[-1]) == ("first line", "last line")
    assert "token-of-account-1" in log
    assert "logs/4712.log" not in members  # a link, to the client's login
    assert json.loads(members["versions.json"])["codex"] == "0.169.0"
    assert json.loads(members["findings.json"])


def test_the_file_is_for_its_owner_and_nothing_is_replaced(run: Run, fill: Fill, tmp_path: Path) -> None:
    fill("ann")
    file = tmp_path / "with space ü.zip"
    assert run("debug", "bundle", "--out", file).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    ran = run("debug", "bundle", "--out", file)
    assert (ran.code, "left as it is" in ran.err, file.read_bytes()) == (2, True, before)
    link = tmp_path / "link.zip"
    link.symlink_to(tmp_path / "nowhere")
    assert run("debug", "bundle", "--out", link).code == 2
    assert not (tmp_path / "nowhere").exists()
    ran = run("debug", "bundle", "--out", tmp_path / "none" / "out.zip")
    assert (ran.code, "Choose another place" in ran.err) == (1, True)


def test_without_a_name_it_is_made_here(run: Run, fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill("ann")
    monkeypatch.chdir(tmp_path)
    ran = run("debug", "bundle", "--json")
    (made,) = tmp_path.glob("codex-rotate-debug-*.zip")
    assert (ran.json["file"], set(ran.json["members"])) == (made.name, MEMBERS)


@pytest.mark.parametrize("damage", ["no pool", "a damaged pool", "broken settings"])
def test_a_broken_machine_can_be_reported(run: Run, fill: Fill, home: Path, tmp_path: Path, damage: str) -> None:
    """That is when a report is wanted."""
    if damage != "no pool":
        fill("ann")
    if damage == "a damaged pool":
        private(home / "pool.db", "not a database" * 99)
    if damage == "broken settings":
        private(home / "config.toml", 'upstream_proxy = "http://joe:hunter8-broken@\n')
    ran = run("debug", "bundle", "--out", tmp_path / "out.zip")
    assert ran.code == 0, ran.err
    members = unpacked(tmp_path / "out.zip")
    assert not any("hunter8" in content for content in members.values())
    assert (home / "pool.db").exists() is (damage != "no pool")
    found = {each["name"]: each["state"] for each in json.loads(members["findings.json"])}
    expected = {"no pool": "accounts.any", "a damaged pool": "storage.pool", "broken settings": "storage.settings"}
    assert found[expected[damage]] == "problem"


def test_what_cannot_be_cleaned_is_not_written(
    run: Run, fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that is a word of ours: refused, without saying what it is."""
    fill("ann")
    monkeypatch.setenv("DEPLOY_PASSWORD", "used_percent-and-more")
    assert run("debug", "bundle", "--out", tmp_path / "a.zip").code == 0
    monkeypatch.setenv("DEPLOY_PASSWORD", "codex_rotate 1")
    monkeypatch.setenv("OTHER_SECRET", '"versions":')
    ran = run("debug", "bundle", "--out", tmp_path / "b.zip")
    assert (ran.code, (tmp_path / "b.zip").exists(), ran.out) == (1, False, "")
    assert "nothing was written" in ran.err
    assert "versions" not in ran.err


# --- logs ------------------------------------------------------------------------------------------------------------


def test_of_a_long_log_the_end_in_whole_lines(tmp_path: Path) -> None:
    """Half a token at the beginning could not be recognised."""
    secret = "refresh-" + "9aB" * 30
    line = f"{secret} and {'x' * 50}\n"
    private(tmp_path / "1.log", line * (2 * LOG_BYTES // len(line)))
    (content,) = said(tmp_path, Sweep([Secret(text=secret, shown="token", token=True)])).values()
    assert set(content.splitlines()) == {f"token and {'x' * 50}"}


def test_a_line_without_an_end_is_left_out(tmp_path: Path) -> None:
    private(tmp_path / "1.log", "x" * (LOG_BYTES + 1))
    assert said(tmp_path, Sweep([])) == {"logs/1.log": ""}


def test_logs_that_are_no_text_are_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "1.log").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "2.log").mkdir()
    assert list(said(tmp_path, Sweep([]))) == ["logs/1.log"]
    assert said(tmp_path / "none", Sweep([])) == {}


def test_the_readme_names_every_file(run: Run, fill: Fill, tmp_path: Path) -> None:
    fill("ann")
    run("debug", "bundle", "--out", tmp_path / "out.zip")
    members = unpacked(tmp_path / "out.zip")
    assert all(name in members["README.txt"] for name in MEMBERS - {"README.txt"})
    assert isinstance(io.StringIO(members["report.txt"]).readline(), str)


def test_logs_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Nothing there and nobody may look are two things."""
    assert said(tmp_path / "none", Sweep(())) == {}
    (tmp_path / "logs").write_text("no folder")
    (name,) = said(tmp_path / "logs", Sweep(()))
    assert name == "logs/unread.txt"
