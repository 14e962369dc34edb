"""A proxy that serves from memory leaves word of it, which is believed as long as it says so again and again."""

import os
from pathlib import Path

from accounts.store import trouble_notes
from accounts.store.trouble_notes import BELIEVED_SECONDS, TroubleNote


def test_a_note_is_found_until_it_is_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "proxies"
    trouble_notes.leave(folder, TroubleNote(7, "is not there any more"))
    at = (folder / "7.pool").stat().st_mtime
    assert trouble_notes.left(folder, at) == (TroubleNote(7, "is not there any more"),)
    trouble_notes.take_away(folder, 7)
    assert trouble_notes.left(folder, at) == ()


def test_a_note_of_a_proxy_that_was_killed_counts_no_more(tmp_path: Path) -> None:
    trouble_notes.leave(tmp_path / "proxies", TroubleNote(7, "is damaged"))
    os.utime(tmp_path / "proxies" / "7.pool", (1000, 1000))
    assert trouble_notes.left(tmp_path / "proxies", 1000 + BELIEVED_SECONDS - 1)
    assert not trouble_notes.left(tmp_path / "proxies", 1000 + BELIEVED_SECONDS + 1)
    assert not trouble_notes.left(tmp_path / "proxies", 1000 - BELIEVED_SECONDS - 1)


def test_a_home_that_was_deleted_is_not_made_again_for_it(tmp_path: Path) -> None:
    trouble_notes.leave(tmp_path / "gone" / "proxies", TroubleNote(7, "is damaged"))
    assert not (tmp_path / "gone").exists()


def test_what_is_no_note_of_ours_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "name.pool").write_text("x")
    (tmp_path / "8.pool").write_bytes(b"\x1b[31mred")
    at = (tmp_path / "8.pool").stat().st_mtime
    assert trouble_notes.left(tmp_path, at) == (TroubleNote(8, "[31mred"),)
