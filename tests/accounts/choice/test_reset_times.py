"""Every place and unit in which upstream says when to try again."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.choice.reset_times import FARTHEST, LONGEST, reset_time
from tests.builders import DAY, HOUR, NOW
from tests.rows import all_rows

DATE = format_datetime(datetime.fromtimestamp(NOW + 60, UTC), usegmt=True)
PAST_DATE = format_datetime(datetime.fromtimestamp(NOW - 60, UTC), usegmt=True)
USED_UP = {"x-codex-primary-used-percent": "100", "x-codex-primary-reset-at": str(int(NOW + 300))}


def said(error: dict[str, Any] | None = None, /, **headers: str) -> float | None:
    """Seconds from now until the moment that is read."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    moment = reset_time(error or {}, named, NOW)
    return None if moment is None else round(moment - NOW, 3)


@all_rows(
    ("value", "seconds"),
    [
        (NOW + 900, 900),
        (str(int(NOW + 900)), 900),
        ((NOW + 900) * 1000, 900),
        (900, 900),
        (NOW, None),
        (NOW - 1, None),
        (0, None),
        (-5, None),
        (True, None),
        (None, None),
        ("soon", None),
        ([NOW + 900], None),
        (float("nan"), None),
        (float("inf"), None),
        ("1e999", None),
        (10**400, None),
    ],
)
def test_resets_at_is_a_date_in_seconds_or_milliseconds_or_a_span(value: object, seconds: float | None) -> None:
    assert said({"resets_at": value}) == seconds


@all_rows(("value", "seconds"), [(30, 30), ("30", 30), (1.5, 1.5), (0, None), (-1, None), ({}, None)])
def test_resets_in_seconds_is_a_span(value: object, seconds: float | None) -> None:
    assert said({"resets_in_seconds": value}) == seconds


@all_rows(
    ("value", "seconds"),
    [
        ("30", 30),
        ("0.5", 0.5),
        ("0", None),
        ("-1", None),
        (DATE, 60),
        (PAST_DATE, None),
        ("soon", None),
        ("", None),
        ("Wed, 99 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert said(retry_after=value) == seconds


@pytest.mark.parametrize(("value", "seconds"), [("1500", 1.5), ("0", None), ("x", None)])
def test_retry_after_ms_is_milliseconds(value: str, seconds: float | None) -> None:
    assert said(retry_after_ms=value) == seconds


@all_rows(
    ("text", "seconds"),
    [
        ("Please try again in 20s.", 20),
        ("Please try again in 1.5s.", 1.5),
        ("Please try again in 250ms.", 0.25),
        ("Try again in 6m0s.", 360),
        ("try again in 1h2m3s", 3723),
        ("try again in 2 hours", 2 * HOUR),
        ("try again in 1 hour 5 minutes", HOUR + 300),
        ("Please try again in 3 days 4 hours 5 minutes.", 3 * DAY + 4 * HOUR + 300),
        ("try again in 1 day", DAY),
        ("try again in 2d", 2 * DAY),
        ("TRY AGAIN IN 10 SECONDS", 10),
        ("try again in   7s", 7),
        ("try again in 0s", None),
        ("try again in a moment", None),
        ("try again later", None),
        ("try again in " + "9" * 400 + "s", None),
        ("try again in " + "1" * 100_000, None),
        ("try again in 5 fortnights", None),
        ("try again in 5s or 6s", 5),
        ("Retry after 20 seconds", 20),
        ("Please try again in about 1 minute and 5 seconds.", 65),
        ("try again in 1h, 5m", HOUR + 300),
        ("try again after 20s", 20),
        ("wait 20s", None),
        ("", None),
        (None, None),
        (20, None),
    ],
)
def test_a_message_may_say_it_in_words(text: object, seconds: float | None) -> None:
    assert said({"message": text}) == seconds


@all_rows(
    ("headers", "seconds"),
    [
        (USED_UP, 300),
        ({**USED_UP, "x-codex-primary-used-percent": "99.9"}, None),
        ({**USED_UP, "x-codex-primary-used-percent": "101"}, 300),
        ({**USED_UP, "x-codex-primary-used-percent": "x"}, None),
        ({**USED_UP, "x-codex-secondary-used-percent": "5", "x-codex-secondary-reset-at": str(NOW + 900)}, 300),
        ({**USED_UP, "x-codex-secondary-used-percent": "100", "x-codex-secondary-reset-at": str(NOW + 900)}, 900),
        ({"x-other-primary-used-percent": "100", "x-other-primary-reset-at": str(NOW + 50)}, 50),
        ({"x-codex-primary-used-percent": "100"}, None),
        ({"codex-primary-used-percent": "100", "codex-primary-reset-at": str(NOW + 50)}, None),
    ],
)
def test_a_window_counts_when_it_is_used_up_and_the_latest_of_several(
    headers: dict[str, str], seconds: float | None
) -> None:
    moment = reset_time({}, headers, NOW)
    assert (None if moment is None else moment - NOW) == seconds


SOURCES: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"resets_at": NOW + 1}, {}),
    ({"resets_in_seconds": 2}, {}),
    ({}, {"x-codex-primary-used-percent": "100", "x-codex-primary-reset-at": str(NOW + 3)}),
    ({}, {"retry-after-ms": "4000"}),
    ({}, {"retry-after": "5"}),
    ({"message": "try again in 6s"}, {}),
]


@all_rows("first", range(len(SOURCES)))
def test_the_most_specific_source_wins(first: int) -> None:
    error: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for more_error, more_headers in SOURCES[first:]:
        error |= more_error
        headers |= more_headers
    assert reset_time(error, headers, NOW) == NOW + first + 1


@all_rows("first", range(len(SOURCES) - 1))
def test_a_source_that_names_the_past_leaves_the_word_to_the_next(first: int) -> None:
    past: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"resets_at": NOW - 1}, {}),
        ({"resets_in_seconds": 0}, {}),
        ({}, {"x-codex-primary-used-percent": "100", "x-codex-primary-reset-at": str(NOW - 1)}),
        ({}, {"retry-after-ms": "0"}),
        ({}, {"retry-after": PAST_DATE}),
    ]
    (error, headers), (next_error, next_headers) = past[first], SOURCES[first + 1]
    assert reset_time(error | next_error, headers | next_headers, NOW) == NOW + first + 2


@all_rows(
    ("error", "headers"),
    [
        ({"resets_at": NOW + 400 * DAY}, {}),
        ({"resets_at": (NOW + 400 * DAY) * 1000}, {}),
        ({"resets_at": 30 * DAY}, {}),
        ({"resets_in_seconds": 1e12}, {}),
        ({"message": "try again in 99999 days"}, {}),
        ({}, {"retry-after": "99999999999"}),
        ({}, {"retry-after-ms": "99999999999999"}),
        ({}, {"retry-after": "Fri, 01 Jan 2999 00:00:00 GMT"}),
        ({}, {"x-codex-primary-used-percent": "100", "x-codex-primary-reset-at": str(NOW + 20 * DAY)}),
    ],
)
def test_every_source_is_cut_to_8_days(error: dict[str, Any], headers: dict[str, str]) -> None:
    assert reset_time(error, headers, NOW) == NOW + FARTHEST


def used_up(days: float, minutes: object = None, *, used: str = "100", window: str = "primary") -> dict[str, str]:
    """The headers of a window that resets in so many days; without `minutes` it does not say how long it is."""
    prefix = f"x-codex-{window}"
    named = {f"{prefix}-used-percent": used, f"{prefix}-reset-at": str(NOW + days * DAY)}
    return named if minutes is None else {**named, f"{prefix}-window-minutes": str(minutes)}


FAR = {"resets_at": NOW + 20 * DAY}
FAR_IN_MS = {"resets_at": (NOW + 20 * DAY) * 1000}
ABSURD = {"resets_at": NOW + 400 * DAY}


@all_rows(
    ("error", "headers", "days"),
    [
        # no window is named
        ({"resets_at": NOW + 7 * DAY}, {}, 7),
        ({"resets_at": NOW + 8 * DAY}, {}, 8),
        ({"resets_at": NOW + 8 * DAY + 1}, {}, 8),
        (FAR, {}, 8),
        (FAR_IN_MS, {}, 8),
        (ABSURD, {}, 8),
        ({}, used_up(20), 8),
        # a window with a name
        ({**FAR, "limit_window_minutes": 300}, {}, 300 / 1440),
        ({**FAR, "limit_window_minutes": 10_080}, {}, 7),
        ({}, used_up(20, 300), 300 / 1440),
        ({}, used_up(20, 10_080), 7),
        ({**FAR, "limit_window_minutes": "43200"}, {}, 20),
        ({**FAR_IN_MS, "limit_window_minutes": 43_800}, {}, 20),
        ({**ABSURD, "limit_window_minutes": 43_200}, {}, 30),
        ({**ABSURD, "limit_window_minutes": 10**9}, {}, 35),
        ({}, used_up(20, 43_800), 20),
        ({}, used_up(400, 43_200), 30),
        ({"limit_window_minutes": 43_800}, {"retry-after": str(20 * DAY)}, 20),
        # a longer window makes nothing later, and does not make the past a date
        ({"resets_at": NOW + DAY, "limit_window_minutes": 43_800}, {}, 1),
        ({"resets_at": NOW - DAY, "limit_window_minutes": 43_800}, {}, None),
        # only the window that the time belongs to explains it
        ({}, used_up(20, 43_800) | used_up(3, 300, window="secondary"), 20),
        ({}, used_up(20, 10_080) | used_up(3, 43_800, window="secondary"), 7),
        ({}, used_up(20, 10_080) | used_up(20, 43_800, used="99", window="secondary"), 7),
        (FAR, used_up(20, 43_800), 20),
        (FAR, used_up(20.0005, 43_800), 20),
        (FAR, used_up(3, 43_800), 8),
        # what cannot be a length names no window
        ({**FAR, "limit_window_minutes": -1}, {}, 8),
        ({**FAR, "limit_window_minutes": float("inf")}, {}, 8),
        ({**FAR, "limit_window_minutes": True}, {}, 8),
        ({**FAR, "limit_window_minutes": "a month"}, {}, 8),
        ({**FAR, "limit_window_minutes": [43_800]}, {}, 8),
        ({}, used_up(20, "a month"), 8),
        ({}, used_up(20, "nan"), 8),
    ],
)
def test_a_time_is_cut_to_the_length_of_its_window_and_to_8_days_without_one(
    error: dict[str, Any], headers: dict[str, str], days: float | None
) -> None:
    assert reset_time(error, headers, NOW) == (None if days is None else NOW + days * DAY)


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(int(NOW) + seconds, UTC).isoformat()


@all_rows(
    ("value", "seconds"),
    [
        (iso(900), 900),
        (iso(900).replace("+00:00", "Z"), 900),
        (iso(900).replace("+00:00", ""), 900),
        (iso(900).replace("+00:00", ".250Z"), 900.25),
        (iso(900 + 7200).replace("+00:00", "+02:00"), 900),
        (f" {iso(900)} ", 900),
        (DATE, 60),
        (DATE.replace("GMT", "-0000"), 60),
        (iso(-1), None),
        (PAST_DATE, None),
        (iso(400 * DAY), 8 * DAY),
        ("2026-13-01T00:00:00Z", None),
        ("9" * 4000 + "-01-01", None),
        ("0001-01-01T00:00:00+23:59", None),
        (iso(900).replace("T", " ").replace("+00:00", " UTC"), 900),
        (iso(900).replace("+00:00", "z"), 900),
        (iso(900).replace("+00:00", "+0000"), 900),
        (datetime.fromtimestamp(NOW + 900, UTC).strftime("%a %b %d %H:%M:%S %Y"), 900),
        (datetime.fromtimestamp(NOW + 900, UTC).strftime("%A, %d-%b-%y %H:%M:%S GMT"), 900),
        (str(int((NOW + 900) * 1e6)), 900),
        (str(int((NOW + 900) * 1e9)), 900),
        *((text, 900) for text in ("900s", "15m", "15m0s", "15 minutes", "900 seconds", "PT15M", "PT900.0S")),
        *((text, DAY + 60) for text in ("P1DT1M", "1d1m", "24h 1m")),
        *((text, None) for text in ("P", "PT", "0s", "15 parsecs", "15m and then", "--")),
    ],
)
def test_a_date_may_be_written(value: str, seconds: float | None) -> None:
    """Wherever a date may stand; without a zone it is UTC."""
    assert said({"resets_at": value}) == said({"reset_at": value}) == said(retry_after=value) == seconds


@all_rows(
    ("headers", "seconds"),
    [
        ({"reset-after-seconds": "30"}, 30),
        ({"x-codex-primary-reset-after-seconds": "30"}, 30),
        ({"x-codex-primary-reset-after-seconds": "30", "x-codex-primary-used-percent": "100"}, 30),
        ({"x-codex-primary-reset-after-seconds": "30", "x-codex-primary-used-percent": "99"}, None),
        ({"x-codex-primary-reset-after-seconds": "30", "x-codex-secondary-reset-after-seconds": "90"}, 30),
        ({"x-codex-primary-reset-after-seconds": "30", "retry-after": "5"}, 5),
        ({"x-codex-primary-reset-after-seconds": "30", **USED_UP}, 300),
        ({"x-codex-primary-reset-after-seconds": "soon"}, None),
        ({"x-codex-primary-reset-after-seconds": "-1"}, None),
        ({"x-codex-primary-reset-after-seconds": "99999999999"}, 8 * DAY),
        ({"codex-primary-reset-after-seconds": "30"}, None),
        ({"x-codex-primary-used-percent": "100", "x-codex-primary-reset-at": iso(300)}, 300),
        ({"x-codex-primary-used-percent": "100%", "x-codex-primary-reset-at": iso(300)}, 300),
        ({"x-codex-primary-reset-after-seconds": "30s"}, 30),
        ({"retry-after": "30, 30"}, 30),
        ({"retry-after": "30s"}, 30),
        ({"retry-after-ms": "30000, 30000"}, 30),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "3"}, None),
        ({"x-ratelimit-reset-tokens": "1s", "x-ratelimit-reset-requests": "2s"}, 2),
        ({"ratelimit-reset": "30"}, 30),
        ({"x-ratelimit-reset": "soon"}, None),
    ],
)
def test_a_header_may_say_it_as_a_span(headers: dict[str, str], seconds: float | None) -> None:
    """Of a window that is used up, or of one of which nothing says how much is; of several of these the first."""
    moment = reset_time({}, headers, NOW)
    assert (None if moment is None else moment - NOW) == seconds


@pytest.mark.parametrize("value", [45, "45", "45s", 45.0])
@pytest.mark.parametrize(
    "name",
    [
        *("reset_after_seconds", "resets_in_seconds", "reset_in_seconds", "resets_in", "retry_after", "retryAfter"),
        *("resetsInSeconds", "Retry-After", "reset_after", "retry_after_seconds"),
    ],
)
def test_an_error_may_say_it_as_a_span(name: str, value: object) -> None:
    assert said({name: value}) == 45


@pytest.mark.parametrize("name", ["retry_after_ms", "resetsInMs", "reset_after_ms"])
def test_an_error_may_say_it_in_milliseconds(name: str) -> None:
    assert said({name: 45_000}) == said({name: "45000"}) == 45


@pytest.mark.parametrize("name", ["resetsAt", "reset_time", "resets_at_ms", "retryAt"])
def test_a_date_may_have_another_name(name: str) -> None:
    assert said({name: (NOW + 45) * 1000}) == said({name: iso(45)}) == 45


NUMBERS = st.integers() | st.floats() | st.text(alphabet="0123456789.e-+ ", max_size=12)
TEXTS = st.text(max_size=40) | st.from_regex(
    r"(?a)try again in [0-9.]{1,12} ?(days?|ms|d|h|m|s)[a-z0-9 .]{0,20}", fullmatch=True
)
NAMED = [
    "x-a-reset-after-seconds",
    "reset-after-seconds",
    "x-a-used-percent",
    "x-a-reset-at",
    "x-b-used-percent",
    "x-b-reset-at",
    "retry-after",
    "retry-after-ms",
]
LENGTHS = ["x-a-window-minutes", "x-b-window-minutes"]
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "resets_at": NUMBERS,
    "resets_in_seconds": NUMBERS,
    "message": TEXTS | st.none(),
}
VALUES = NUMBERS.map(str) | st.text(max_size=30) | st.datetimes().map(datetime.isoformat)


@given(
    error=st.fixed_dictionaries({}, optional={**FIELDS, "limit_window_minutes": NUMBERS}),
    headers=st.dictionaries(st.sampled_from(NAMED + LENGTHS), VALUES),
    now=st.floats(0, 4e9),
)
def test_never_the_past_and_never_beyond_35_days(error: dict[str, Any], headers: dict[str, str], now: float) -> None:
    moment = reset_time(error, headers, now)
    assert moment is None or now < moment <= now + 35 * DAY


@given(
    error=st.fixed_dictionaries({}, optional=FIELDS),
    headers=st.dictionaries(st.sampled_from(NAMED), VALUES),
    now=st.floats(0, 4e9),
)
def test_never_beyond_8_days_when_no_window_is_named(
    error: dict[str, Any], headers: dict[str, str], now: float
) -> None:
    moment = reset_time(error, headers, now)
    assert moment is None or now < moment <= now + 8 * DAY


def test_the_longest_rests_are_8_and_35_days() -> None:
    assert (FARTHEST, LONGEST) == (8 * DAY, 35 * DAY)


@all_rows("minutes", [1e-12, 0.0, -5.0, 0.5])
def test_a_window_of_no_length_bounds_nothing(minutes: float) -> None:
    error = {"type": "usage_limit_reached", "resets_in_seconds": 900, "limit_window_minutes": minutes}
    assert reset_time(error, {}, NOW) == NOW + 900
