"""A webhook gets what is sent, signed, and cannot keep anybody waiting."""

import hashlib
import hmac
import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from addons.notify.webhook import post, secret_of
from config.notify import NotifySettings
from tests.builders import NOW
from tests.harness import ROOT, free_port
from tests.webhooks import SECRET, Webhook

BODY = b'{"event": "pool_dry"}'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "home"))


def hook(url: str, **more: Any) -> NotifySettings:
    return NotifySettings(**{"webhook": url, "secret": "" if "secret_file" in more else SECRET, **more})


async def test_it_is_posted_with_a_signature_that_can_be_verified() -> None:
    with Webhook() as there:
        assert await post(hook(there.url), BODY, NOW) == (True, "it answered 204")
        (posted,) = there.posted
    assert posted.body == BODY
    assert posted.headers["content-type"] == "application/json"
    timestamp = posted.headers["x-codex-rotate-timestamp"]
    assert timestamp == "1800000000"
    expected = hmac.new(SECRET.encode(), timestamp.encode() + b"." + posted.body, hashlib.sha256).hexdigest()
    assert posted.headers["x-codex-rotate-signature"] == f"v1={expected}"
    assert not [value for value in posted.headers.values() if SECRET in value]


async def test_it_is_verified_as_the_documentation_says() -> None:
    """With the very lines that a reader copies."""
    (lines,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "how-to" / "notify.md").read_text("utf-8"), re.DOTALL
    )
    told: dict[str, Any] = {}
    exec(lines, told)
    genuine = told["is_genuine"]
    with Webhook() as there:
        await post(hook(there.url), BODY, NOW)
        (posted,) = there.posted
    assert genuine(SECRET.encode(), posted.headers, posted.body, NOW + 300)
    assert not genuine(b"another secret", posted.headers, posted.body, NOW)
    assert not genuine(SECRET.encode(), posted.headers, posted.body + b" ", NOW)
    assert not genuine(SECRET.encode(), posted.headers, posted.body, NOW + 301)
    assert not genuine(SECRET.encode(), {**posted.headers, "x-codex-rotate-timestamp": "1800000001"}, posted.body, NOW)
    assert not genuine(SECRET.encode(), {}, posted.body, NOW)


async def test_the_secret_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    assert secret_of(hook("https://x.example/", secret_file=str(file))) == SECRET.encode()
    with Webhook() as there:
        assert await post(hook(there.url, secret_file=str(tmp_path / "none")), BODY, NOW) == (
            False, "secret_file cannot be read (No such file or directory)",
        )  # fmt: skip
        file.write_text("short\n")
        reached, said = await post(hook(there.url, secret_file=str(file)), BODY, NOW)
        assert (reached, said.startswith("secret_file must hold 16 to")) == (False, True)
        assert there.posted == []


@pytest.mark.parametrize("status", [301, 400, 500])
async def test_what_is_not_accepted_has_not_arrived(status: int) -> None:
    with Webhook([status]) as there:
        assert await post(hook(there.url), BODY, NOW) == (False, f"it answered {status}")
        assert len(there.posted) == 1


async def test_one_that_never_answers_is_left() -> None:
    with Webhook(hangs=True) as there:
        assert await post(hook(there.url), BODY, NOW, seconds=0.3) == (False, "no answer within 0.3 s")


async def test_one_that_answers_without_end_is_left_too() -> None:
    """A byte at a time, each of them in time."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def trickle() -> None:
            connection, _ = listening.accept()
            with connection:
                while not over.wait(0.02):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        reached, said = await post(hook(url), BODY, NOW, seconds=0.3)
        over.set()
        thread.join()
    assert not reached
    assert said in {"no answer within 0.3 s", "RemoteProtocolError"}


async def test_what_is_said_of_a_failure_does_not_hold_the_address(caplog: pytest.LogCaptureFixture) -> None:
    """Its path is as good as a password with many services; nor does a client's log write it down."""
    caplog.set_level(0)
    url = f"http://127.0.0.1:{free_port()}/hooks/a-path-that-is-a-secret"
    reached, said = await post(hook(url), BODY, NOW)
    assert (reached, said) == (False, "ConnectError")
    with Webhook() as there:
        await post(hook(there.url), BODY, NOW)
    assert "a-path-that-is-a-secret" not in said + caplog.text
