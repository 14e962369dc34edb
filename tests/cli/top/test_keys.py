"""One table of keys."""

from collections import Counter

from cli.top.handlers import HANDLERS
from cli.top.keys import KEYS, MAIN, PAGES, View, action, every_key, hints


def test_every_action_has_somebody_who_does_it() -> None:
    assert {each.does for each in KEYS} == HANDLERS.keys()


def test_a_key_means_one_thing_in_a_view() -> None:
    for view in View:
        keys = Counter(key for each in KEYS if view in each.views for key in each.keys.split(","))
        assert [key for key, count in keys.items() if count > 1] == []


def test_every_view_can_be_left() -> None:
    assert all(action("q", view) == "leave" for view in View)
    assert all(("Esc", "back") in hints(view) for view in PAGES)
    assert all(("?", "help") in hints(view) for view in MAIN)


def test_a_key_of_one_view_does_nothing_in_another() -> None:
    assert action("p", View.ACCOUNTS) == "pause"
    assert action("p", View.HISTORY) == ""
    assert action("5", View.ACCOUNTS) == "use_number"
    assert action("enter", View.OPTIONS) == "keep"
    assert action("escape", View.ACCOUNTS) == "back"
    assert "5" in every_key()
