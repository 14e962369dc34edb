"""[notify] of config.toml, changed while a proxy runs."""

import logging
import os
from pathlib import Path

import pytest

from addons.notify.followed_settings import FollowedSettings
from config import settings
from config.notify import NotifySettings

SECRET = "a-secret-of-many-characters"
ONE, OTHER = ('[notify]\ncommand = ["one"]\n', '[notify]\ncommand = ["other"]\n')


class Config:
    """The file, which is another one after each writing also for a coarse clock; what has been followed; and how often
    it was read."""

    def __init__(self, file: Path, known: NotifySettings | None) -> None:
        self.file = file
        self.reads = 0
        self.writes = 0
        self.followed = FollowedSettings(known, file, self._load)

    def _load(self) -> NotifySettings | None:
        self.reads += 1
        return settings.load({}, self.file).notify

    def write(self, text: str) -> None:
        self.writes += 1
        self.file.write_text(text)
        os.utime(self.file, (self.writes, self.writes))

    def look(self) -> str:
        """The program that is told; "" for none."""
        found = self.followed.look()
        return found.program if found is not None else ""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path / "config.toml", None)


def test_it_comes_changes_and_goes(config: Config) -> None:
    assert config.look() == ""
    config.write(ONE)
    assert config.look() == "one"
    config.write(OTHER)
    assert config.look() == "other"
    config.write("")
    assert config.look() == ""
    config.write(ONE)
    assert config.look() == "one"
    config.file.unlink()
    assert config.look() == ""


def test_what_was_changed_since_the_proxy_read_it_is_seen_by_the_first_look(tmp_path: Path) -> None:
    config = Config(tmp_path / "config.toml", NotifySettings(command=("one",)))
    config.write(OTHER)
    assert config.look() == "other"


def test_a_file_that_stays_is_read_once(config: Config) -> None:
    config.write(ONE)
    for _ in range(5):
        assert config.look() == "one"
    assert config.reads == 1


@pytest.mark.parametrize(
    "wrong",
    [
        f'[notify]\nwebhook = "http://hooks.example/x"\nsecret = "{SECRET}"\n',
        "[notify\n",
        f'{ONE}\n[prices]\n"m" = [1]\n',
        'stratgy = "drain"\n',
    ],
    ids=["table", "syntax", "another table", "another setting"],
)
def test_a_mistake_keeps_what_held_and_is_said_once(
    config: Config, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    config.write(ONE)
    config.look()
    caplog.set_level(logging.INFO)
    caplog.clear()
    config.write(wrong)
    assert [config.look() for _ in range(3)] == ["one"] * 3
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert "config.toml" in caplog.text
    assert SECRET not in caplog.text
    config.write(OTHER)
    assert config.look() == "other"


def test_what_is_said_of_a_change_repeats_nothing_of_it(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    config.write(f'[notify]\nwebhook = "https://hooks.example/path-of-mine"\nsecret = "{SECRET}"\n')
    config.look()
    assert "[notify] has changed" in caplog.text
    assert not [each for each in (SECRET, "hooks.example", "path-of-mine") if each in caplog.text]
