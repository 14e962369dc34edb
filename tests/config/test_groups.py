"""A group counts as open to others only if somebody else is known to be in it."""

import os

import pytest

from config import groups

grp = pytest.importorskip("grp")
pwd = pytest.importorskip("pwd")

ME, ANN, GROUP = 4242, 4243, 500


def person(name: str, uid: int, gid: int) -> object:
    return pwd.struct_passwd((name, "x", uid, gid, "", "/", ""))


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ME)
    groups.others_in.cache_clear()


@pytest.mark.parametrize(
    ("members", "people", "others"),
    [
        ([], [("me", ME, GROUP)], ()),  # a group of one's own
        (["me"], [("me", ME, 100)], ()),
        (["root", "me"], [("me", ME, 100), ("root", 0, 0)], ()),
        ([], [("me", ME, GROUP), ("ann", ANN, GROUP)], ("ann",)),  # a group that all have, as `users` or `staff`
        (["me", "ann"], [("me", ME, GROUP), ("ann", ANN, 100)], ("ann",)),
        (["bob", "ann"], [("me", ME, GROUP)], ("ann", "bob")),
        ([], [("ann", ANN, 100)], ()),  # this user has no name, as in many containers
    ],
)
def test_who_else_is_in_it(
    monkeypatch: pytest.MonkeyPatch, members: list[str], people: list[tuple[str, int, int]], others: tuple[str, ...]
) -> None:
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("some", "x", gid, members)))
    monkeypatch.setattr(pwd, "getpwall", lambda: [person(*each) for each in people])
    assert groups.others_in(GROUP) == others


def test_a_group_that_nobody_knows_and_that_of_root_have_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> object:
        raise KeyError

    monkeypatch.setattr(grp, "getgrgid", unknown)
    assert groups.others_in(GROUP) == ()
    assert groups.others_in(0) == ()
