"""One occurrence goes every way that the settings name, and what came back is told without secrets."""

import sys
from pathlib import Path

import pytest

from accounts.notices.notice import sample
from addons.notify.delivery import COMMAND, WEBHOOK, deliver, ways_of
from config.notify import NoticeKind, NotifySettings
from tests.builders import NOW, token
from tests.webhooks import SECRET, Webhook

DRY = sample(NoticeKind.POOL_DRY, NOW)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "home"))


def program(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


async def test_both_ways_get_the_same(tmp_path: Path) -> None:
    code = f"import sys, pathlib; pathlib.Path({str(tmp_path / 'got')!r}).write_bytes(sys.stdin.buffer.read())"
    with Webhook() as there:
        settings = NotifySettings(command=program(code), webhook=there.url, secret=SECRET)
        told = await deliver(settings, DRY, NOW, test=True)
        (posted,) = there.posted
    assert (
        [(each.way, each.reached) for each in told]
        == [(COMMAND, True), (WEBHOOK, True)]
        == [(way, True) for way in ways_of(settings)]
    )
    assert posted.body == (tmp_path / "got").read_bytes()
    assert (posted.told["event"], posted.told["test"]) == ("pool_dry", True)


async def test_a_way_that_was_reached_before_is_left_out() -> None:
    with Webhook() as there:
        settings = NotifySettings(command=program("pass"), webhook=there.url, secret=SECRET)
        assert [each.way for each in await deliver(settings, DRY, NOW, but=[WEBHOOK])] == [COMMAND]
        assert there.posted == []


async def test_a_token_that_a_command_says_is_masked() -> None:
    secret = token({"chatgpt_account_id": "acct"})
    (told,) = await deliver(NotifySettings(command=program(f"print({secret!r})")), DRY, NOW)
    assert told.reached
    assert secret not in told.said
    assert "[token]" in told.said
