"""Nobody but its owner reads what mitmproxy writes, and keys of connections are not written in silence."""

import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from addons.recording.private_output import DH_PARAMETERS, KEY_LOGS, close_written, keep_private, warn_of_key_log


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_what_was_open_before_is_closed_and_what_comes_is_too(tmp_path: Path) -> None:
    capture, parameters, public = tmp_path / "capture", tmp_path / DH_PARAMETERS, tmp_path / "mitmproxy-ca-cert.pem"
    for each in (capture, parameters, public):
        each.touch()
        each.chmod(0o666)
    addons = {"save": SimpleNamespace(current_path=str(capture))}
    before = os.umask(0o000)
    try:
        keep_private()
        close_written(SimpleNamespace(confdir=str(tmp_path)), addons)
        (tmp_path / "new").touch()
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert modes == {"capture": 0o600, DH_PARAMETERS: 0o600, "new": 0o600, public.name: 0o644}


def test_without_a_capture_nothing_is_closed(tmp_path: Path) -> None:
    (tmp_path / "somebody-elses").touch()
    (tmp_path / "somebody-elses").chmod(0o644)
    close_written(SimpleNamespace(confdir=str(tmp_path)), {"save": SimpleNamespace(current_path=None)})
    close_written(SimpleNamespace(confdir=str(tmp_path)), {})
    assert [stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()] == [0o644]


@pytest.mark.parametrize("name", KEY_LOGS)
def test_a_log_of_keys_is_said(name: str, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_key_log({name: "/keys"})
    assert name in caplog.text
    assert "/keys" in caplog.text


def test_without_one_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_key_log({"SSLKEYLOGFILE": ""})
    assert not caplog.text
