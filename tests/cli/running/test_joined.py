"""What was joined is kept for its user only, is found again, and a proxy that does not answer as it should is named."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from certs import ca
from certs.bundles import certificates, find_roots, write_bundle
from cli.running import joined
from cli.running.joined import JoinedIsAnother, JoinedRefuses, JoinedSilent, JoinedUnusable
from cli.running.proxies import ProxyAnswer
from config import clock
from config.join_file import Invitation

KEY = "k" * 43


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"CODEX_ROTATE_HOME": str(tmp_path / "home")}


@pytest.fixture
def invitation(tmp_path: Path) -> Invitation:
    made = ca.create(tmp_path / "ca", clock.now()).trusted_file.read_text()
    return Invitation(host="127.0.0.1", port=9, name="ann", key=KEY, certificate=made)


@contextmanager
def answering(status: int, body: bytes | bytearray = b"", **headers: str) -> Iterator[int]:
    """Something that answers everything so: its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_it_is_kept_for_its_user_only(environ: dict[str, str], invitation: Invitation) -> None:
    assert joined.current(environ) is None
    joined.keep(invitation, environ)
    assert joined.current(environ) == invitation
    folder = joined.folder(environ)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}


def test_giving_it_up_leaves_nothing(environ: dict[str, str], invitation: Invitation) -> None:
    joined.keep(invitation, environ)
    write_bundle(joined.folder(environ) / "bundle.pem", b"x")
    joined.forget(environ)
    assert joined.current(environ) is None
    assert not joined.folder(environ).exists()


def test_what_a_bound_client_needs_stays(environ: dict[str, str], invitation: Invitation) -> None:
    """Without its bundle it could reach nothing at all."""
    joined.keep(invitation, environ)
    write_bundle(joined.folder(environ) / "bundle.pem", b"x")
    joined.forget(environ, bound=True)
    assert [each.name for each in joined.folder(environ).iterdir()] == ["bundle.pem"]


def test_with_another_one_the_bundle_follows(environ: dict[str, str], invitation: Invitation, tmp_path: Path) -> None:
    """A client that is bound trusts the new one and no longer the old one."""
    joined.keep(invitation, environ)
    bundle = joined.folder(environ) / "bundle.pem"
    old = certificates(invitation.certificate.encode())
    write_bundle(bundle, find_roots() + b"\n" + invitation.certificate.encode())
    other = ca.create(tmp_path / "other", clock.now()).trusted_file.read_text()
    joined.keep(replace(invitation, certificate=other), environ)
    found = certificates(bundle.read_bytes())
    assert found[-1:] == certificates(other.encode())
    assert not set(old) & set(found)


@pytest.mark.parametrize("content", [b"", b"product = ", b"\xff"])
def test_a_damaged_one_is_named(environ: dict[str, str], content: bytes) -> None:
    joined.folder(environ).mkdir(parents=True)
    (joined.folder(environ) / joined.FILE).write_bytes(content)
    with pytest.raises(JoinedUnusable, match="join FILE"):
        joined.current(environ)
    assert joined.known(environ) is None


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (ProxyAnswer(status=403, refused=True), JoinedRefuses),
        (ProxyAnswer(status=1), JoinedIsAnother),
        (ProxyAnswer(), JoinedSilent),
    ],
)
def test_each_answer_has_its_words(
    monkeypatch: pytest.MonkeyPatch, invitation: Invitation, answer: ProxyAnswer, wrong: type[Exception]
) -> None:
    monkeypatch.setattr(joined, "ask_joined", lambda _: answer)
    with pytest.raises(wrong):
        joined.presence(invitation)


@pytest.mark.parametrize(("status", "body"), [(407, b""), (200, b"hello"), (404, b"")])
def test_what_does_not_answer_as_it_should_is_named(
    environ: dict[str, str], invitation: Invitation, status: int, body: bytes
) -> None:
    with answering(status, body) as port, pytest.raises(JoinedIsAnother) as found:
        joined.presence(replace(invitation, port=port), environ)
    assert KEY not in str(found.value)


def test_silence_says_whom_to_ask(environ: dict[str, str], invitation: Invitation) -> None:
    with pytest.raises(JoinedSilent, match="whoever runs it"):
        joined.presence(invitation, environ)
