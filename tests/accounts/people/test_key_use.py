"""When keys were last shown is written now and then, and of each one seldom."""

from accounts.people.key_use import KeyUse
from tests.builders import NOW


def test_that_a_key_is_used_at_all_is_written_at_once() -> None:
    use = KeyUse()
    assert use.shown("ann", NOW) == {"ann": NOW}
    assert use.shown("bob", NOW + 1) == {"bob": NOW + 1}
    assert use.shown("ann", NOW + 2) == {}


def test_a_key_that_is_used_all_the_time_is_news_every_ten_minutes() -> None:
    use = KeyUse()
    written = [when for second in range(0, 1300, 10) for when in use.shown("ann", NOW + second).values()]
    assert written == [NOW, NOW + 600, NOW + 1200]


def test_keys_that_are_news_again_are_written_together_once_a_minute() -> None:
    use = KeyUse()
    for number, name in enumerate(("ann", "bob", "eve")):
        use.shown(name, NOW + number)
    assert use.shown("ann", NOW + 601) == {"ann": NOW + 601}
    assert use.shown("bob", NOW + 602) == {}
    assert use.shown("eve", NOW + 661) == {"bob": NOW + 602, "eve": NOW + 661}


def test_a_clock_that_goes_back_keeps_nothing_from_being_written() -> None:
    use = KeyUse()
    use.shown("ann", NOW)
    assert use.shown("ann", NOW - 5000) == {"ann": NOW - 5000}


def test_at_the_end_the_rest_is_written() -> None:
    use = KeyUse()
    use.shown("ann", NOW)
    use.shown("bob", NOW + 590)
    use.shown("ann", NOW + 601)
    assert use.rest(NOW + 602) == {"ann": NOW + 601}
    assert use.rest(NOW + 602) == {}
