"""The socket of a proxy is its owner's only, however long the path of our folder is, and nothing of it stays behind."""

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from config import private_socket
from config.private_socket import MOST_PATH, ask, listening, peer_is, place_for, taken_away

pytestmark = pytest.mark.skipif(not private_socket.usable(), reason="this system has no such sockets")


def long(tmp_path: Path) -> Path:
    return tmp_path / ("x" * 60) / ("y" * 60)


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path("/tmp") / f"sockets-of-a-test-{os.getpid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.mark.parametrize("is_long", [False, True])
def test_only_its_owner_can_open_it(runtime: Path, tmp_path: Path, is_long: bool) -> None:
    folder = long(tmp_path) if is_long else runtime / "proxies"
    place = place_for(folder, 7)
    assert (place.parent == folder) is not is_long
    assert len(os.fsencode(place)) <= MOST_PATH
    with listening(place):
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    taken_away(place, folder)
    assert not place.exists()
    assert place.parent.exists() is not is_long


def test_a_short_folder_of_somebody_else_is_not_used(tmp_path: Path, runtime: Path) -> None:
    """Whoever was there first could have opened it, or led us elsewhere by a link."""
    short = place_for(long(tmp_path), 7).parent
    short.chmod(0o755)
    with pytest.raises(PermissionError):
        place_for(long(tmp_path), 7)
    short.rmdir()
    (runtime / "elsewhere").mkdir(exist_ok=True, mode=0o700)
    short.symlink_to(runtime / "elsewhere")
    with pytest.raises(PermissionError):
        place_for(long(tmp_path), 7)
    short.unlink()


def test_where_every_path_is_too_long_there_is_no_socket_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / ("z" * MOST_PATH)
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with pytest.raises(OSError, match="too long"):
        place_for(long(tmp_path), 7)
    assert list(runtime.iterdir()) == []


def test_what_killed_ones_have_left_goes_and_what_is_in_use_stays(runtime: Path) -> None:
    folder = runtime / "proxies"
    dead, alive, own = (place_for(folder, pid) for pid in (1, 2, 3))
    listening(dead).close()
    listening(own).close()
    with listening(alive), listening(own):
        assert not dead.exists()
        assert alive.exists()
    for each in (alive, own):
        taken_away(each, folder)


def test_a_question_is_answered_and_a_file_in_its_place_is_not_asked(runtime: Path) -> None:
    place = place_for(runtime / "proxies", 7)
    with listening(place) as listener:
        listener.setblocking(True)

        def answer() -> None:
            wire, _ = listener.accept()
            with wire:
                assert peer_is(wire, os.geteuid())
                assert not peer_is(wire, os.geteuid() + 1) or not hasattr(socket, "SO_PEERCRED")
                wire.sendall(b"you said " + wire.recv(100))

        thread = threading.Thread(target=answer)
        thread.start()
        assert ask(place, b"hello") == b"you said hello\n"
        thread.join()
    place.unlink()
    place.write_bytes(b"")
    with pytest.raises(PermissionError):
        ask(place, b"hello")
    place.unlink()
