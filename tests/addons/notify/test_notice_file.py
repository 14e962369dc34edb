"""The list outlives its proxies, and is changed by one of them at a time."""

import stat
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from accounts.notices.conditions import Condition, ConditionName
from accounts.notices.occurrences import Occurrence, Occurrences
from addons.notify import notice_file
from addons.notify.notice_file import NoticeFile
from config.notify import NoticeKind
from tests.builders import NOW


def occurrence(subject: str) -> Occurrence:
    return Occurrence(condition=Condition(name=ConditionName(NoticeKind.LOGIN_NEEDED, subject), text="x"), since=NOW)


def adding(subject: str):  # type: ignore[no-untyped-def]
    def work(known: Occurrences) -> tuple[Occurrences, int]:
        return (*known, occurrence(subject)), len(known)

    return work


def test_what_is_changed_is_there_for_the_next_one(tmp_path: Path) -> None:
    file = NoticeFile(tmp_path / "notices.json")
    assert file.read() == ()
    assert file.change(adding("a")) == 0
    assert NoticeFile(file.path).read() == (occurrence("a"),)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_nothing_is_written_when_nothing_has_changed(tmp_path: Path) -> None:
    file = NoticeFile(tmp_path / "notices.json")
    assert file.change(lambda known: (known, "said")) == "said"
    assert list(tmp_path.iterdir()) == []


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    def add(name: str) -> None:
        for number in range(20):
            NoticeFile(tmp_path / "notices.json").change(adding(f"{name}{number}"))

    threads = [threading.Thread(target=add, args=(name,)) for name in "ab"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(NoticeFile(tmp_path / "notices.json").read()) == 40


def test_a_lock_that_stays_is_trouble_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice_file, "LOCK_SECONDS", 0.05)
    with FileLock(tmp_path / "notices.json.lock"), pytest.raises(OSError, match="lock"):
        NoticeFile(tmp_path / "notices.json").change(adding("a"))
