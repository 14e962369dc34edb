"""The table [notify]: what it may hold, and what is said of what it may not."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from config.errors import ConfigError
from config.notify import NoticeKind, NotifySettings, QuietHours, read_notify, shown_notify
from config.settings import load
from tests.rows import all_rows

ROOT = Path(__file__).resolve().parents[2]

SECRET = "not-to-be-seen-anywhere"
HOOK = {"webhook": "https://hooks.example/T0/not-to-be-seen-either", "secret": SECRET}


def found(**table: Any) -> NotifySettings:
    settings = read_notify(table)
    assert settings is not None
    return settings


def test_a_command_is_enough_and_the_rest_has_defaults() -> None:
    settings = found(command=["notify", "-v"])
    assert settings.command == ("notify", "-v")
    assert settings.events == frozenset(NoticeKind)
    assert (settings.quiet, settings.pool_left, settings.place) == (None, (20, 5), "")


def test_everything_can_be_said() -> None:
    settings = found(**HOOK, events=["pool_dry", "pool_back"], quiet="22:00-07:30", pool_left=[5, 50, 5])
    assert settings.events == {NoticeKind.POOL_DRY, NoticeKind.POOL_BACK}
    assert (settings.quiet, settings.pool_left) == (QuietHours(22 * 60, 7 * 60 + 30), (50, 5))


@all_rows("value", [None, "", " ", {}])
def test_nothing_is_nobody_to_tell(value: object) -> None:
    assert read_notify(value) is None


@all_rows(
    ("table", "said"),
    [
        (["x"], "must be a table"),
        ("off", "must be a table"),
        ({"comand": ["x"]}, "no key `comand`, perhaps command is meant"),
        ({"quiet": "22:00-07:00"}, "needs `command` or `webhook`"),
        ({"command": "notify-send"}, "`command` must be a list of texts"),
        ({"command": []}, "`command` must be a list of texts"),
        ({"command": ["x", 1]}, "`command` must be a list of texts"),
        ({"command": ["x", "\0"]}, "`command` must be a list of texts"),
        ({"webhook": "hooks.example"}, "`webhook` must be an address"),
        ({"webhook": "ftp://hooks.example", "secret": SECRET}, "`webhook` must be an address"),
        ({"webhook": "https://hooks.example:x/", "secret": SECRET}, "`webhook` must be an address"),
        ({"webhook": "http://hooks.example/x", "secret": SECRET}, "must be https, unless it is on this machine"),
        ({"webhook": f"https://me:{SECRET}@hooks.example/", "secret": SECRET}, "no user name, password or fragment"),
        ({"webhook": "https://hooks.example/"}, "needs `secret` or `secret_file`, one of them"),
        ({**HOOK, "secret_file": "/run/secret"}, "needs `secret` or `secret_file`, only one of them"),
        ({**HOOK, "secret": "short"}, "`secret` must be a text of 16 characters"),
        ({"webhook": "https://hooks.example/", "secret_file": "secret"}, "`secret_file` must be a whole path"),
        ({"command": ["x"], "events": []}, "`events` must be a list of some of: login_needed"),
        ({"command": ["x"], "events": ["pool_dri"]}, "`events` has `pool_dri`, perhaps pool_dry is meant"),
        ({"command": ["x"], "quiet": "25:00-07:00"}, "`quiet` must be two times of the day"),
        ({"command": ["x"], "quiet": "07:00-07:00"}, "`quiet` must end at another time"),
        ({"command": ["x"], "pool_left": [0]}, "`pool_left` must be a list of at most 10 whole numbers"),
        ({"command": ["x"], "pool_left": [True]}, "`pool_left` must be a list of at most 10 whole numbers"),
        ({"command": ["x"], "pool_left": 20}, "`pool_left` must be a list of at most 10 whole numbers"),
    ],
)
def test_what_is_wrong_is_said_and_no_value_repeated(table: Any, said: str) -> None:
    with pytest.raises(ValueError, match=r"must|needs|has") as e:
        read_notify(table)
    assert said in str(e.value)
    assert SECRET not in str(e.value)


@all_rows(
    ("text", "minutes"),
    [("22:00-07:00", {1320: True, 1439: True, 0: True, 419: True, 420: False, 1319: False}),
     ("09:00-17:00", {539: False, 540: True, 1019: True, 1020: False})],
)  # fmt: skip
def test_quiet_hours_may_go_over_midnight(text: str, minutes: dict[int, bool]) -> None:
    quiet = found(command=["x"], quiet=text).quiet
    assert quiet is not None
    assert {minute: quiet.hold(minute) for minute in minutes} == minutes
    assert str(quiet) == text


def test_a_mistake_in_the_file_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('strategy = "drain"\n\n[notify]\nwebhook = "https://hooks.example/x"\nsecret = "short"\n')
    with pytest.raises(ConfigError, match=r"notify: `secret` must be a text of 16 characters .* \(line 3\)"):
        load({}, file)


def test_one_run_can_do_without(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[notify]\ncommand = ["x"]\n')
    assert load({}, file).notify is not None
    assert load({"CODEX_ROTATE_NOTIFY": ""}, file).notify is None


def test_the_table_of_the_documentation_can_be_used() -> None:
    (table,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "how-to" / "notify.md").read_text("utf-8"), re.DOTALL)
    settings = read_notify(tomllib.loads(table)["notify"])
    assert settings is not None
    assert settings.place == "https://hooks.example/…"


def test_the_documentation_names_every_kind_and_key() -> None:
    page = (ROOT / "docs" / "how-to" / "notify.md").read_text("utf-8")
    assert not [kind for kind in NoticeKind if f"| `{kind}` |" not in page]
    assert not [key.name for key in fields(NotifySettings) if f"`{key.name}`" not in page]


def test_neither_the_secret_nor_the_path_nor_the_arguments_are_shown(tmp_path: Path) -> None:
    settings = found(**HOOK, command=["curl", f"-H x-key:{SECRET}"])
    file = tmp_path / "config.toml"
    file.write_text(
        f'[notify]\ncommand = ["curl", "-H x-key:{SECRET}"]\nwebhook = "{HOOK["webhook"]}"\nsecret = "{SECRET}"\n'
    )
    whole = load({}, file)
    texts = (repr(settings), str(shown_notify(settings)), repr(whole), str(structs.asdict(whole)))
    assert not [each for each in texts if "not-to-be-seen" in each]
    assert settings.place == "https://hooks.example/…"
