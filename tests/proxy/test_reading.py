"""A saved capture is read without a pool, as somebody else's machine has none."""

from pathlib import Path

import pytest
from mitmproxy.io import FlowWriter

from tests import warm
from tests.addons.inspection.test_explaining import COMPLETED, event, flow
from tests.harness import MITMDUMP, SCRIPT, plain_environment


@pytest.mark.parametrize("reading", [True, False])
def test_a_capture_needs_no_pool_and_a_proxy_does(tmp_path: Path, confdir: Path, reading: bool) -> None:
    """The turn is shown as a transcript."""
    file = tmp_path / "one.flow"
    with file.open("wb") as saved:
        made = flow(event(COMPLETED))
        made.request.host = "chatgpt.com"
        made.response.headers["content-type"] = "text/event-stream"  # type: ignore[union-attr]
        FlowWriter(saved).add(made)
    read = (
        ["-n", "-r", str(file), "--flow-detail", "4"]
        if reading
        else ["--listen-host", "127.0.0.1", "--listen-port", "0"]
    )
    done = warm.run(
        [str(MITMDUMP), *read, "--set", f"confdir={confdir}", "-s", str(SCRIPT)],
        env={**plain_environment(), "HOME": str(tmp_path), "CODEX_ROTATE_HOME": str(tmp_path / "rotate")},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "The pool has no accounts yet" in said
    assert (done.returncode, "completed" in said) == ((0, True) if reading else (1, False))
