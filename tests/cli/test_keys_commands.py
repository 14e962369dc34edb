"""A key is shown once, kept as a digest, and taken back by its name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.model import fingerprint
from accounts.store import Store

type Run = Callable[..., Any]


def stored(home: Path) -> dict[str, str]:
    with Store(home / "pool.db") as store:
        return {name: digest for digest, name in store.client_keys().items()}


def test_a_key_is_shown_once_and_kept_as_a_digest(run: Run, home: Path) -> None:
    """The first key also makes the one of our own commands, in a file that only its owner reads."""
    ran = run("keys", "add", "ann")
    assert (ran.code, "a key too" in ran.err) == (0, True)
    key = ran.out.partition("http://-:")[2].partition("@127.0.0.1:8118")[0]
    local = home / "client.key"
    assert stored(home) == {"ann": fingerprint(key), "local": fingerprint(local.read_text())}
    assert local.stat().st_mode & 0o777 == 0o600
    assert key.encode() not in b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert key not in run("keys", "list").out


def test_the_second_key_changes_nothing_for_the_first(run: Run, home: Path) -> None:
    run("keys", "add", "ann")
    before = stored(home)
    ran = run("keys", "add", "bob", "--json")
    assert ran.json["first"] is False
    assert stored(home) == before | {"bob": fingerprint(ran.json["key"])}
    assert run("keys", "list", "--json").json == {"keys": ["ann", "bob"]}


def test_taking_the_last_key_back_opens_this_machine_again(run: Run, home: Path) -> None:
    """And says so; the key of our own commands goes with it."""
    run("keys", "add", "ann")
    run("keys", "add", "bob")
    assert run("keys", "remove", "ann").err == ""
    assert stored(home).keys() == {"bob", "local"}
    ran = run("keys", "remove", "bob")
    assert "everybody on this machine" in ran.err
    assert stored(home) == {}
    assert not (home / "client.key").exists()


@pytest.mark.parametrize("name", ["", "a b", "local", "-x", "a:b", "a/b"])
def test_a_name_that_cannot_be(run: Run, home: Path, name: str) -> None:
    ran = run("keys", "add", "--", name)
    assert (ran.code, ran.out) == (2, "")
    assert "another" in ran.err
    assert not (home / "client.key").exists()


def test_a_key_is_never_replaced_silently(run: Run, home: Path) -> None:
    run("keys", "add", "ann")
    before = stored(home)
    ran = run("keys", "add", "ann")
    assert (ran.code, "keys remove ann" in ran.err) == (2, True)
    assert stored(home) == before


@pytest.mark.parametrize("name", ["nobody", "local"])
def test_a_key_that_is_not_there_cannot_be_taken_back(run: Run, home: Path, name: str) -> None:
    """Nor the one of our own commands."""
    run("keys", "add", "ann")
    before = stored(home)
    assert run("keys", "remove", name).code == 2
    assert stored(home) == before


def test_no_keys(run: Run) -> None:
    assert "nobody else" in run("keys", "list").out
