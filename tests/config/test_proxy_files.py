"""What a running proxy leaves for commands to find is private, and nonsense in its place is not believed."""

import json
import os
from pathlib import Path

import pytest

from config import proxy_files
from config.proxy_files import ProxyInfo

HERE = ProxyInfo(url="http://127.0.0.1:1", pid=7, home="/h", certificate="/h/ca.pem", version="1", everything=True)


def test_what_is_announced_is_found(tmp_path: Path) -> None:
    """The newest first, in a folder and files that are its owner's only."""
    folder = tmp_path / "of proxies"
    old = proxy_files.announce(HERE, folder)
    new = proxy_files.announce(ProxyInfo(**{**vars_of(HERE), "pid": 8}), folder)
    os.utime(old, (1, 1))
    assert [each.pid for each in proxy_files.announced(folder)] == [8, 7]
    assert {folder.stat().st_mode & 0o777, old.stat().st_mode & 0o777} == {0o700, 0o600}
    new.unlink()
    assert proxy_files.announced(folder) == [HERE]


def vars_of(presence: ProxyInfo) -> dict[str, object]:
    return {name: getattr(presence, name) for name in ProxyInfo.__dataclass_fields__}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b"\xff\xfe",
        b'{"product": "another"}',
        b'{"product": "codex-rotate"}',
        json.dumps({**vars_of(HERE), "product": "codex-rotate", "pid": "7"}).encode(),
        json.dumps({**vars_of(HERE), "product": "codex-rotate", "url": 7}).encode(),
    ],
)
def test_nonsense_is_no_proxy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.json").write_bytes(content)
    assert proxy_files.announced(tmp_path) == []


def test_what_a_newer_version_adds_does_no_harm() -> None:
    """Versions run side by side for a while after an update."""
    told = json.loads(proxy_files.as_json(HERE)) | {"mood": "good"}
    assert proxy_files.from_json(json.dumps(told)) == HERE


def test_no_folder_is_no_proxy(tmp_path: Path) -> None:
    assert proxy_files.announced(tmp_path / "none") == []
