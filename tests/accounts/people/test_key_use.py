"""When keys were last shown is written now and then, and of each one seldom."""

from accounts.people.key_use import KeyUse
from tests.builders import NOW


def test_the_first_use_is_written_at_once_and_others_together_a_minute_later() -> None:
    use = KeyUse()
    use.shown("ann", NOW)
    assert use.due(NOW) == {"ann": NOW}
    use.shown("bob", NOW + 1)
    use.shown("eve", NOW + 2)
    assert use.due(NOW + 2) == {}
    assert use.due(NOW + 60) == {"bob": NOW + 1, "eve": NOW + 2}
    assert use.due(NOW + 120) == {}


def test_a_key_that_is_used_all_the_time_is_news_every_ten_minutes() -> None:
    use = KeyUse()
    written = []
    for second in range(0, 1300, 10):
        use.shown("ann", NOW + second)
        written += use.due(NOW + second).values()
    assert written == [NOW, NOW + 600, NOW + 1200]


def test_a_clock_that_goes_back_keeps_nothing_from_being_written() -> None:
    use = KeyUse()
    use.shown("ann", NOW)
    use.due(NOW)
    use.shown("ann", NOW - 5000)
    assert use.due(NOW - 5000) == {"ann": NOW - 5000}


def test_at_the_end_the_rest_is_written() -> None:
    use = KeyUse()
    use.shown("ann", NOW)
    use.due(NOW)
    use.shown("bob", NOW + 1)
    assert use.rest(NOW + 1) == {"bob": NOW + 1}
    assert use.rest(NOW + 1) == {}
