"""What has happened is told once, by whichever proxy is first, and nobody waits for that."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from accounts.model import Standing
from accounts.notices.conditions import PoolLook
from accounts.notices.occurrences import BACKOFF, DRY_SECONDS
from addons.notify.notice_file import NoticeFile
from addons.notify.teller import NoticeTeller
from config.notify import NoticeKind, NotifySettings, QuietHours
from tests.builders import HOUR, Clock, candidate, credentials, key_of, planted, rest, window
from tests.webhooks import SECRET, Webhook

LOGINS = {key_of(name): credentials(name) for name in "ab"}
NIGHT = datetime(2027, 1, 15, 23, 0, tzinfo=UTC).timestamp()


def pool(**changes: Any) -> PoolLook:
    """Account a with these changes, and b, which is well."""
    return PoolLook(candidates=(candidate("a", **changes), candidate("b", windows=(window(1),))), logins=LOGINS)


WELL, LOST = pool(), pool(standing=Standing.NEEDS_LOGIN)
DRY = PoolLook(candidates=(candidate("a", cooldown=rest(HOUR)),), logins=LOGINS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with Webhook() as there:
        yield there


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path))


def teller(hook: Webhook, clock: Clock, folder: Path, **more: Any) -> NoticeTeller:
    settings = NotifySettings(webhook=hook.url, secret=SECRET, **more)
    return NoticeTeller(settings, NoticeFile(folder / "notices.json"), clock, lambda: UTC)


def test_it_is_told_once_also_after_a_restart(hook: Webhook, clock: Clock, tmp_path: Path) -> None:
    one = teller(hook, clock, tmp_path)
    one.tell(LOST)
    one.tell(LOST)
    clock.advance(3600)
    teller(hook, clock, tmp_path).tell(LOST)
    assert hook.events == ["login_needed"]


def test_what_is_wanted_meanwhile_holds_from_the_next_look_on(hook: Webhook, clock: Clock, tmp_path: Path) -> None:
    one = teller(hook, clock, tmp_path, events=frozenset({NoticeKind.POOL_DRY}))
    one.tell(WELL)
    one.wanted = replace(one.wanted, events=frozenset(NoticeKind))
    one.tell(LOST)
    assert hook.events == ["login_needed"]


def test_two_proxies_of_one_home_tell_it_once(hook: Webhook, tmp_path: Path) -> None:
    both = [teller(hook, Clock(), tmp_path) for _ in range(2)]
    together = threading.Barrier(2)

    def go(each: NoticeTeller) -> None:
        together.wait()
        each.tell(LOST)

    threads = [threading.Thread(target=go, args=(each,)) for each in both]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert hook.events == ["login_needed"]


def test_dry_and_back(hook: Webhook, clock: Clock, tmp_path: Path) -> None:
    one = teller(hook, clock, tmp_path)
    for look, seconds in ((DRY, 5.0), (WELL, DRY_SECONDS), (WELL, 5.0), (WELL, 5.0)):
        one.tell(look)
        clock.advance(seconds)
    assert hook.events == ["pool_dry", "pool_back"]


def test_at_night_nobody_is_told_and_in_the_morning_what_still_holds(
    hook: Webhook, clock: Clock, tmp_path: Path
) -> None:
    clock.now = NIGHT
    one = teller(hook, clock, tmp_path, quiet=QuietHours(22 * 60, 7 * 60))
    both = replace(LOST, certificate_ends=NIGHT + HOUR)
    one.tell(both)
    clock.advance(4 * HOUR)
    one.tell(replace(LOST, certificate_ends=None))
    clock.advance(HOUR)
    one.tell(LOST)
    assert hook.events == []
    clock.advance(3 * HOUR)
    one.tell(LOST)
    assert hook.events == ["login_needed"]


def test_what_was_not_accepted_is_sent_again_as_the_same(clock: Clock, tmp_path: Path) -> None:
    with Webhook([500, 204]) as hook:
        one = teller(hook, clock, tmp_path)
        one.tell(LOST)
        clock.advance(BACKOFF[0] - 1)
        one.tell(LOST)
        assert len(hook.posted) == 1
        clock.advance(1)
        one.tell(LOST)
        one.tell(LOST)
        first, second = hook.posted
    assert first.body == second.body
    assert first.headers["x-codex-rotate-signature"] != second.headers["x-codex-rotate-signature"]


def test_what_never_arrives_is_given_up_with_a_line(
    clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Webhook([500]) as hook:
        one = teller(hook, clock, tmp_path)
        for wait in (*BACKOFF, HOUR, HOUR):
            one.tell(LOST)
            clock.advance(wait)
        assert len(hook.posted) == len(BACKOFF) + 1
    (line,) = [each for each in caplog.messages if "given up" in each]
    assert "login_needed could not be told and is given up: a: needs login" in line


def test_a_hanging_webhook_keeps_nobody_waiting_and_holds_one_look_at_most(clock: Clock, tmp_path: Path) -> None:
    with Webhook(hangs=True) as hook:
        one = teller(hook, clock, tmp_path)
        one.offer(LOST)
        hook.wait_for(1)
        for _ in range(1_000):
            one.offer(LOST)
        assert one._looks.qsize() <= 1
        one.close()
        assert len(hook.posted) == 1


def test_looks_are_judged_in_a_thread_of_their_own(hook: Webhook, clock: Clock, tmp_path: Path) -> None:
    one = teller(hook, clock, tmp_path)
    one.offer(LOST)
    hook.wait_for(1)
    one.close()
    assert one._thread is not None
    assert not one._thread.is_alive()


def test_where_the_list_cannot_be_kept_nobody_is_told(
    hook: Webhook, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Or it would be told again and again."""
    (tmp_path / "notices.json").mkdir()
    one = teller(hook, clock, tmp_path)
    one.tell(LOST)
    one.tell(LOST)
    assert hook.posted == []
    assert [each for each in caplog.messages if "nobody is told" in each] == [
        f"codex-rotate: nobody is told anything: {tmp_path / 'notices.json'} cannot be used (Is a directory)"
    ]
    (tmp_path / "notices.json").rmdir()
    one.tell(LOST)
    assert hook.events == ["login_needed"]


def test_what_was_told_while_the_disk_refused_is_not_told_again(clock: Clock, tmp_path: Path) -> None:
    """Here it refuses from the moment on at which the command is told."""
    file, aside, got = tmp_path / "notices.json", tmp_path / "aside", tmp_path / "got"
    code = f"""if 1:
        import pathlib, sys
        pathlib.Path({str(file)!r}).rename({str(aside)!r})
        pathlib.Path({str(file)!r}).mkdir()
        open({str(got)!r}, "a").write(sys.stdin.read() + "\\n")
    """
    settings = NotifySettings(command=(sys.executable, "-c", code))
    one = NoticeTeller(settings, NoticeFile(file), clock, lambda: UTC)
    one.tell(LOST)
    file.rmdir()
    aside.rename(file)
    clock.advance(3600)
    one.tell(LOST)
    assert [json.loads(line)["event"] for line in got.read_text().splitlines()] == ["login_needed"]


def test_no_secret_is_in_what_is_told_kept_or_logged(
    hook: Webhook, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    got = tmp_path / "got"
    code = f"import sys, os; open({str(got)!r}, 'a').write(sys.stdin.read() + repr(sys.argv) + repr(dict(os.environ)))"
    one = teller(hook, clock, tmp_path, command=(sys.executable, "-c", code))
    seats = (
        candidate("a", standing=Standing.NEEDS_LOGIN, email="ann@example.com", note="a-note-of-the-owner"),
        candidate("b", email="bob@example.com"),
    )
    ended = {**LOGINS, key_of("b"): credentials("b", expires_at=clock.now + HOUR, ended="cut_off")}
    one.tell(PoolLook(candidates=seats, logins=ended, certificate_ends=clock.now + HOUR))
    assert sorted(hook.events) == ["certificate_ends", "login_ends", "login_needed"]
    texts = [each.body.decode() + repr(each.headers) for each in hook.posted]
    texts += [got.read_text(), (tmp_path / "notices.json").read_text(), caplog.text]
    secrets = {*planted(ended.values()), SECRET, "ann@", "bob@", "acct-a", 'user-a"', "a-note-of"}
    assert not [(secret, text[:80]) for secret in secrets for text in texts if secret in text]
    assert not [text for text in texts[len(hook.posted) :] if "a-path-that-is-a-secret" in text]


def test_a_command_says_what_came_of_it_in_the_log(
    clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    got = tmp_path / "got"
    code = f"import sys; open({str(got)!r}, 'w').write(sys.stdin.read()); print('thanks')"
    settings = NotifySettings(command=(sys.executable, "-c", code))
    NoticeTeller(settings, NoticeFile(tmp_path / "notices.json"), clock, lambda: UTC).tell(LOST)
    assert json.loads(got.read_text())["account"] == "a"
    assert "codex-rotate: login_needed told by command: it ended with 0, it said: thanks" in caplog.messages
