"""What was sent is known after a crash, and nothing in a mark gives a token away."""

import os
import stat
from pathlib import Path

import pytest

from accounts.tokens.sent_marks import LAST_CHANCE, MOST_SPENT, SentMarks
from tests.builders import NOW

KEY, TOKEN = "acct:user", "refresh-token-nobody-may-see"


def test_a_mark_is_about_one_token_of_one_account(tmp_path: Path) -> None:
    marks = SentMarks(tmp_path / "locks")
    assert marks.times(KEY, TOKEN) == 0
    marks.set(KEY, TOKEN)
    assert SentMarks(tmp_path / "locks").times(KEY, TOKEN) == 1
    assert marks.times(KEY, TOKEN + "+") == 0
    assert marks.times("another:user", TOKEN) == 0


def test_an_answer_removes_it_and_removing_twice_is_harmless(tmp_path: Path) -> None:
    marks = SentMarks(tmp_path)
    marks.set(KEY, TOKEN)
    marks.clear(KEY)
    marks.clear(KEY)
    assert marks.times(KEY, TOKEN) == 0


def test_no_file_holds_or_is_named_by_a_token_and_none_is_left_over(tmp_path: Path) -> None:
    marks = SentMarks(tmp_path)
    marks.set(KEY, TOKEN)
    marks.set(KEY, TOKEN + "+")
    (file,) = tmp_path.iterdir()
    assert TOKEN not in file.name + file.read_text()
    assert KEY not in file.name + file.read_text()


@pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")
def test_marks_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    SentMarks(folder).set(KEY, TOKEN)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_a_disk_that_refuses_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    blocked = tmp_path / "locks"
    blocked.write_text("a file is in the way")
    with pytest.raises(OSError, match="locks"):
        SentMarks(blocked).set(KEY, TOKEN)


def test_a_mark_that_cannot_be_read_as_one_is_none(tmp_path: Path) -> None:
    marks = SentMarks(tmp_path)
    marks.set(KEY, TOKEN)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"\xff\xfe")
    assert marks.times(KEY, TOKEN) == 0


def test_a_second_sending_is_counted_and_outlives_a_crash_while_the_marks_are_removed(tmp_path: Path) -> None:
    """A program of before there were two still sees the first."""
    marks = SentMarks(tmp_path)
    marks.set(KEY, TOKEN)
    (first,) = tmp_path.iterdir()
    before = first.read_bytes()
    for _ in range(2):
        marks.set(KEY, TOKEN)
        assert SentMarks(tmp_path).times(KEY, TOKEN) == 2
    assert first.read_bytes() == before
    first.unlink()
    assert marks.times(KEY, TOKEN) == 2
    marks.set(KEY, TOKEN + "+")
    assert (marks.times(KEY, TOKEN), marks.times(KEY, TOKEN + "+")) == (2, 1)
    marks.clear(KEY)
    assert marks.times(KEY, TOKEN) == 0


def test_what_has_lost_its_answer_waits_for_another_ones_or_for_a_while(tmp_path: Path) -> None:
    marks = SentMarks(tmp_path)
    for key in (KEY, "another:user"):
        assert marks.wait_for(key, NOW) == 0
        marks.lost(key, NOW)
    assert SentMarks(tmp_path).wait_for(KEY, NOW) == LAST_CHANCE
    assert marks.wait_for(KEY, NOW + LAST_CHANCE) == 0
    assert marks.wait_for(KEY, NOW - 1) == 0, "the clock was set back"
    marks.answered()
    assert {SentMarks(tmp_path).wait_for(key, NOW) for key in (KEY, "another:user")} == {0}
    marks.lost(KEY, NOW)
    marks.clear(KEY)
    assert marks.wait_for(KEY, NOW) == 0


def test_what_was_replaced_is_known_without_the_pool_s_file_and_gives_no_token_away(tmp_path: Path) -> None:
    marks = SentMarks(tmp_path)
    for number in range(MOST_SPENT + 1):
        for _ in range(2):
            marks.spend(KEY, f"{TOKEN}{number}")
    (file,) = tmp_path.iterdir()
    assert TOKEN not in file.read_text()
    known = SentMarks(tmp_path)
    assert [n for n in range(MOST_SPENT + 2) if known.is_spent(KEY, f"{TOKEN}{n}")] == list(range(1, MOST_SPENT + 1))
    assert not known.is_spent("another:user", f"{TOKEN}1")
    marks.clear(KEY)
    assert known.is_spent(KEY, f"{TOKEN}1")
    file.write_bytes(b"\xff\xfe")
    assert not known.is_spent(KEY, f"{TOKEN}1")
