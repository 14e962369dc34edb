"""Between two refresh tokens that leave a machine lies a gap, whoever sends them."""

from pathlib import Path

import pytest

from accounts.errors import AccountBusy, StoreUnusable
from accounts.tokens import locks
from accounts.tokens.locks import AccountLocks
from accounts.tokens.send_gap import SEND_GAP, SendGap
from tests.builders import Clock


def gap(folder: Path, clock: Clock) -> SendGap:
    return SendGap(AccountLocks(folder), clock, clock.advance)  # type: ignore[arg-type]  # what it gives is not used


def test_each_waits_for_the_rest_of_the_gap(tmp_path: Path) -> None:
    """Two processes, which share a folder."""
    clock = Clock()
    began, one, other = clock.now, gap(tmp_path / "locks", clock), gap(tmp_path / "locks", clock)
    left = []
    for sender in (one, other, one, other):
        sender.wait()
        left.append(clock.now - began)
    assert left == pytest.approx([0, SEND_GAP, 2 * SEND_GAP, 3 * SEND_GAP])
    clock.advance(SEND_GAP - 0.1)
    one.wait()
    assert clock.now - began == pytest.approx(4 * SEND_GAP)


def test_after_a_pause_nobody_waits(tmp_path: Path) -> None:
    clock = Clock()
    gap(tmp_path / "locks", clock).wait()
    now = clock.advance(SEND_GAP)
    gap(tmp_path / "locks", clock).wait()
    assert clock.now == now


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff", b"9e99", b"nan"])
def test_a_file_that_says_nothing_true_holds_nobody_up(tmp_path: Path, content: bytes) -> None:
    """The clock may have been set back, too."""
    clock = Clock()
    (tmp_path / "last.sent").write_bytes(content)
    now = clock.now
    gap(tmp_path, clock).wait()
    assert clock.now == now
    gap(tmp_path, clock).wait()
    assert clock.now == now + SEND_GAP


def test_a_queue_that_does_not_move_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "QUEUE_SECONDS", 0.01)
    with AccountLocks(tmp_path).sending(), pytest.raises(AccountBusy):
        gap(tmp_path, Clock()).wait()


def test_a_folder_that_cannot_be_made_lets_nothing_leave(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("a file is in the way")
    with pytest.raises(StoreUnusable):
        gap(tmp_path / "locks", Clock()).wait()
