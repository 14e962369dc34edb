"""`notify test` sends one of each kind and says what came back."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.notify import NoticeKind
from tests.harness import free_port
from tests.webhooks import SECRET, Webhook

type Run = Callable[..., Any]


def write(home: Path, **table: object) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    (home / "config.toml").write_text("\n".join(["[notify]", *lines, ""]))


def test_one_of_each_kind_is_sent_and_marked_as_a_test(run: Run, home: Path) -> None:
    with Webhook() as hook:
        write(home, webhook=hook.url, secret=SECRET, quiet="00:00-23:59")
        ran = run("notify", "test")
    assert ran.code == 0, ran.err
    assert hook.events == [str(kind) for kind in NoticeKind]
    assert all(each.told["test"] for each in hook.posted)
    assert "All of them have arrived." in ran.out
    assert "a-path-that-is-a-secret" not in ran.out + ran.err
    assert not (home / "notices.json").exists()


def test_only_what_the_settings_want_is_sent_or_the_one_that_is_named(run: Run, home: Path) -> None:
    with Webhook() as hook:
        write(home, webhook=hook.url, secret=SECRET, events=["pool_dry", "pool_back"])
        assert run("notify", "test").code == 0
        assert run("notify", "test", "--event", "pool_left").code == 0
    assert hook.events == ["pool_dry", "pool_back", "pool_left"]


def test_what_did_not_arrive_is_told_with_the_reason(run: Run, home: Path) -> None:
    write(
        home,
        command=[sys.executable, "-c", "print('got it')"],
        webhook=f"http://127.0.0.1:{free_port()}/x",
        secret=SECRET,
    )
    ran = run("notify", "test", "--event", "pool_dry", "--json")
    assert ran.code == 1
    by_command, by_webhook = ran.json["sent"]
    assert (by_command["reached"], by_command["said"]) == (True, "it ended with 0, it said: got it")
    assert (by_webhook["reached"], by_webhook["said"]) == (False, "ConnectError")


def test_without_anybody_to_tell_there_is_nothing_to_try(run: Run, home: Path) -> None:
    ran = run("notify", "test")
    assert ran.code == 3
    assert "has no table [notify]" in ran.err


def test_a_mistake_in_the_table_is_said(run: Run, home: Path) -> None:
    write(home, webhook="http://hooks.example/x", secret=SECRET)
    ran = run("notify", "test")
    assert ran.code == 2
    assert "`webhook` must be https" in ran.err
    assert SECRET not in ran.err


def test_config_shows_no_secret(run: Run, home: Path) -> None:
    write(home, webhook="https://hooks.example/a-path-that-is-a-secret", secret=SECRET)
    for words in (("show",), ("get", "notify"), ("get", "notify", "--reveal"), ("explain", "notify")):
        for more in ((), ("--json",)):
            ran = run("config", *words, *more)
            assert ran.code == 0, ran.err
            assert not [each for each in (SECRET, "a-path-that-is-a-secret") if each in ran.out + ran.err]
    assert run("config", "set", "notify", SECRET).code == 2
    assert SECRET not in run("config", "set", "notify", SECRET).err


def test_what_programs_read_keeps_its_shape(run: Run, home: Path) -> None:
    with Webhook() as hook:
        write(home, webhook=hook.url, secret=SECRET)
        ran = run("notify", "test", "--event", "pool_dry", "--json")
    place = f"{hook.url.partition('/hooks')[0]}/…"
    assert ran.json == {
        "sent": [{"event": "pool_dry", "way": "webhook", "to": place, "reached": True, "said": "it answered 204"}]
    }


def test_a_report_holds_no_secret(run: Run, home: Path) -> None:
    write(home, command=["tell", SECRET], webhook="https://hooks.example/a-path-that-is-a-secret", secret=SECRET)
    ran = run("report", "--json")
    assert ran.code == 0, ran.err
    assert "hooks.example" in ran.out
    assert not [each for each in (SECRET, "a-path-that-is-a-secret") if each in ran.out + ran.err]
