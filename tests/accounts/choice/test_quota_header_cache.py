"""A head is read when it says something new, when something else has been learned since, and after a while."""

import pytest

from accounts.choice.quota import Window
from accounts.choice.quota_header_cache import FRESH_SECONDS, Heads

NOW = 1_700_000_000.0
SAID = ((b"x-codex-primary-used-percent", b"12"),)
OTHER = ((b"x-codex-primary-used-percent", b"13"),)
KNOWN = (Window(family="codex", minutes=300, used_percent=12.0),)


@pytest.mark.parametrize(
    ("key", "said", "windows", "later", "news"),
    [
        ("a", SAID, KNOWN, 1.0, False),
        ("a", OTHER, KNOWN, 1.0, True),
        ("b", SAID, KNOWN, 1.0, True),
        ("a", SAID, (*KNOWN,), FRESH_SECONDS, True),
        ("a", SAID, KNOWN, -5.0, True),
        ("a", SAID, (Window(family="codex", minutes=300, used_percent=50.0),), 1.0, True),
    ],
)
def test_what_is_news(key: str, said: object, windows: tuple[Window, ...], later: float, news: bool) -> None:
    heads = Heads()
    heads.read("a", SAID, KNOWN, NOW)
    assert heads.are_news(key, said, windows, NOW + later) is news  # type: ignore[arg-type]


def test_the_first_head_is_news() -> None:
    assert Heads().are_news("a", SAID, (), NOW)
