"""The client's own `.env`: where it leads, and who is told when that is gone."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.environment import proxy_at
from cli.commands.setup.bind import bind
from cli.running.binding import BoundFiles, FileUnusable, answers, bound_to, stranded_notes, write
from config import dotenv

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
PROXY = proxy_at("http://127.0.0.1:8118")


def there(_: object) -> bool:
    return True


def not_there(_: object) -> bool:
    return False


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def places(home: Path, tmp_path: Path) -> BoundFiles:
    """The client's file, which is not there yet, and an authority, which is."""
    folder = home / "ca"
    folder.mkdir(parents=True)
    certificate = folder / "mitmproxy-ca-cert.pem"
    certificate.write_text(CERTIFICATE)
    return BoundFiles(file=tmp_path / ".env", ca_certificate=certificate, bundle=folder / "bundle.pem")


@pytest.fixture
def listening() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def beside(file: Path) -> list[str]:
    return sorted(each.name for each in file.parent.iterdir() if each.name.startswith((".env", ".unf")))


def test_whether_a_proxy_answers(listening: str) -> None:
    assert answers(proxy_at(listening))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not answers(proxy_at(f"http://127.0.0.1:{port}"))


def test_a_file_that_changes_meanwhile_is_left_alone(places: BoundFiles) -> None:
    """What another program wrote between our reading and our writing is not lost."""
    places.file.write_bytes(b"newer")
    for after in (b"ours", None):
        with pytest.raises(FileUnusable, match="another program"):
            write(places.file, b"older", after)
    assert (places.file.read_bytes(), beside(places.file)) == (b"newer", [".env"])


@pytest.mark.parametrize(
    ("bound", "host", "port", "expected"),
    [
        ("http://127.0.0.1:8118", "127.0.0.1", 8118, True),
        ("http://localhost:8118", "127.0.0.1", 8118, True),
        ("http://[::1]:8118", "::1", 8118, True),
        ("http://127.0.0.1:8118", "0.0.0.0", 8118, True),
        ("http://127.0.0.1:8118", "::", 8118, True),
        ("http://192.168.1.5:8118", "192.168.1.5", 8118, True),
        ("http://who:secret@127.0.0.1:8118", "127.0.0.1", 8118, True),
        ("http://127.0.0.1:8118", "127.0.0.1", 9000, False),
        ("http://proxy.example:8118", "127.0.0.1", 8118, False),
    ],
)
def test_whoever_is_bound_to_a_proxy_that_ended_is_told(
    places: BoundFiles, bound: str, host: str, port: int, *, expected: bool
) -> None:
    """With both ways out, and without the password. A block that leads elsewhere is no concern of this proxy."""
    bind(places, proxy_at(bound), {}, there)
    notes = stranded_notes(places.file, host, port, not_there)
    assert bool(notes) is expected
    for note in notes:
        assert str(places.file) in note
        assert note.endswith("Run `codex-rotate serve` again, or `codex-rotate unbind`.")
        assert "secret" not in note


def test_where_another_proxy_has_taken_over_nobody_is_told_anything(places: BoundFiles) -> None:
    bind(places, PROXY, {}, there)
    assert stranded_notes(places.file, "127.0.0.1", 8118, there) == ()


def test_without_a_block_that_the_client_follows_nobody_is_bound(places: BoundFiles) -> None:
    """No file, the user's own settings, a damaged block, something that is no file."""
    assert bound_to(places.file) is None
    places.file.write_bytes(b"HTTPS_PROXY=http://127.0.0.1:8118\n")
    assert bound_to(places.file) is None
    places.file.write_bytes(dotenv.bind(b"A=1\n", {"HTTPS_PROXY": "http://a:1"}).replace(b"a:1", b"a:2"))
    assert bound_to(places.file) is None
    places.file.write_bytes(dotenv.bind(None, {"HTTPS_PROXY": "nonsense"}))
    assert bound_to(places.file) is None
    places.file.unlink()
    places.file.mkdir()
    assert bound_to(places.file) is None
    assert stranded_notes(places.file, "127.0.0.1", 8118, not_there) == ()
