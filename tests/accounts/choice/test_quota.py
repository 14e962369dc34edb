"""How much of an account's limits is used: three forms in which upstream says it, and what follows from it."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.choice import quota
from accounts.choice.quota import MAIN, Window, capacity, deferred_until, left, merged, worth_writing
from standin.accounts import Window as Told
from tests.builders import DAY, HOUR, NOW
from tests.rows import all_rows

LATER = NOW + HOUR
WEEKLY = 10_080


def window(used: float = 50.0, minutes: int = 300, **changes: Any) -> Window:
    """A window of the account's own limit, seen just now, with an hour to go."""
    values = {"family": MAIN, "minutes": minutes, "used_percent": used, "resets_at": LATER, "seen_at": NOW}
    return Window(**{**values, **changes})


def headers(used: object, minutes: object = 300, resets: object = int(LATER), name: str = "codex-primary") -> Any:
    """The headers of one window; None leaves one out."""
    said = {"used-percent": used, "window-minutes": minutes, "reset-at": resets}
    return {f"x-{name}-{key}": str(value) for key, value in said.items() if value is not None}


def event(used: object, minutes: object = 300, resets: object = int(LATER), **more: Any) -> Any:
    """A `codex.rate_limits` event with one window."""
    primary = {"used_percent": used, "window_minutes": minutes, "reset_at": resets}
    return {"type": "codex.rate_limits", "rate_limits": {"primary": primary, "secondary": None}, **more}


def usage(used: object, minutes: Any = 300, resets: object = int(LATER), **more: Any) -> Any:
    """A `/wham/usage` body with one window."""
    seconds = minutes * 60 if isinstance(minutes, int) and not isinstance(minutes, bool) else minutes
    primary = {"used_percent": used, "limit_window_seconds": seconds, "reset_at": resets}
    return {"rate_limit": {"allowed": True, "primary_window": primary, "secondary_window": None}, **more}


def read(form: str, *said: Any) -> tuple[Window, ...]:
    """The same numbers in each of the three forms."""
    if form == "headers":
        return quota.from_headers(headers(*said), NOW)
    return quota.from_event(event(*said), NOW) if form == "event" else quota.from_usage(usage(*said), NOW)


ODD = [-5, float("nan"), float("inf"), 10**400, True, "many", "", None, [5], {}]
"""What is neither a percentage, nor a length, nor a time."""

in_every_form = pytest.mark.parametrize("form", ["headers", "event", "usage"])


@in_every_form
@pytest.mark.parametrize(
    ("used", "percent"),
    [
        (0, 0),
        (12, 12),
        (12.5, 12.5),
        ("12.5", 12.5),
        (99.6, 99.6),
        (100, 100),
        (101, 100),
        (1e300, 100),
        (-0.1, None),
        *((odd, None) for odd in ODD),
    ],
)
def test_a_percentage_is_a_number_from_0_to_100(form: str, used: object, percent: float | None) -> None:
    assert [each.used_percent for each in read(form, used)] == ([] if percent is None else [percent])


@in_every_form
@pytest.mark.parametrize(
    ("minutes", "length"),
    [
        (1, 1),
        (300, 300),
        (10_080, 10_080),
        (43_800, 43_800),
        (50_400, 50_400),
        (50_401, None),
        (0, None),
        *((odd, None) for odd in ODD),
    ],
)
def test_a_window_is_named_by_its_minutes_and_is_none_without(form: str, minutes: object, length: int | None) -> None:
    assert [(each.family, each.minutes) for each in read(form, 5, minutes)] == (
        [] if length is None else [(MAIN, length)]
    )


@in_every_form
@pytest.mark.parametrize(
    ("resets", "moment"),
    [
        (LATER, LATER),
        (str(int(LATER)), LATER),
        (LATER * 1000, LATER),
        (3600, LATER),
        (NOW, NOW),
        (NOW - 1, NOW - 1),
        ((NOW - 1) * 1000, NOW - 1),
        (NOW - 400 * DAY, NOW - 400 * DAY),
        (NOW + 35 * DAY, NOW + 35 * DAY),
        (NOW + 35 * DAY + 1, None),
        (NOW * 1_000_000, NOW),
        (0, None),
        *((odd, None) for odd in ODD),
    ],
)
def test_a_reset_is_in_seconds_or_milliseconds_and_may_be_past(form: str, resets: object, moment: float | None) -> None:
    assert read(form, 5, 300, resets) == (window(5, resets_at=moment),)


@in_every_form
@pytest.mark.parametrize("written", ["2027-01-15T09:00:00Z", "2027-01-15T10:00:00+01:00", "2027-01-15T09:00:00"])
def test_a_reset_may_be_a_date_in_words(form: str, written: str) -> None:
    """Without a zone it is UTC."""
    assert [each.resets_at for each in read(form, 50, 300, written)] == [LATER]


def test_a_header_may_give_the_reset_as_a_span() -> None:
    """And a date beside it goes before it."""
    span = {"x-codex-primary-reset-after-seconds": "600"}
    assert [each.resets_at for each in quota.from_headers(headers(50, resets=None) | span, NOW)] == [NOW + 600]
    assert [each.resets_at for each in quota.from_headers(headers(50) | span, NOW)] == [LATER]


@in_every_form
def test_the_two_windows_are_told_apart_by_length_wherever_they_stand(form: str) -> None:
    """Upstream may list the longer one first: neither place means anything."""
    short, week = Told(used_percent=12, minutes=300, resets_in=60), Told(used_percent=34, minutes=10_080, resets_in=DAY)
    expected = (window(12, 300, resets_at=NOW + 60), window(34, 10_080, resets_at=NOW + DAY))
    for first, second in ((short, week), (week, short)):
        if form == "headers":
            named = headers(*first.as_event(NOW).values())
            named |= headers(*second.as_event(NOW).values(), name="codex-secondary")
            found = quota.from_headers(named, NOW)
        elif form == "event":
            limits = {"primary": first.as_event(NOW), "secondary": second.as_event(NOW)}
            found = quota.from_event({"rate_limits": limits}, NOW)
        else:
            limits = {"primary_window": first.as_usage(NOW), "secondary_window": second.as_usage(NOW)}
            found = quota.from_usage({"rate_limit": limits}, NOW)
        assert found == expected


def test_of_two_windows_of_one_length_the_fuller_is_kept() -> None:
    for said in (headers(95) | headers(5, name="codex-secondary"), headers(5) | headers(95, name="codex-secondary")):
        assert [each.used_percent for each in quota.from_headers(said, NOW)] == [95]


@all_rows(
    ("name", "family"),
    [
        ("codex-primary", MAIN),
        ("codex-secondary", MAIN),
        ("codex-bengalfox-primary", "codex-bengalfox"),
        ("codex_other-primary", "codex-other"),
        ("codex-secondary-primary", "codex-secondary"),
        *((odd, None) for odd in ("codex", "primary", "-primary", "codex-3", "n" * 61 + "-primary", "\u202e-primary")),
    ],
)
def test_a_header_names_the_limit_before_the_place(name: str, family: str | None) -> None:
    assert [each.family for each in quota.from_headers(headers(5, name=name), NOW)] == ([family] if family else [])


def test_headers_without_a_percentage_are_not_looked_at() -> None:
    """Most answers have none. Only names are read then: a list of them has nothing else to offer."""
    names: Any = ["content-type", "x-codex-primary-reset-at", "x-codex-primary-window-minutes", "x-request-id"]
    assert quota.from_headers(names, NOW) == ()
    assert quota.from_headers({"codex-primary-used-percent": "5", "codex-primary-window-minutes": "300"}, NOW) == ()


@all_rows(
    ("names", "family"),
    [
        ({}, MAIN),
        ({"metered_limit_name": None, "limit_name": None}, MAIN),
        ({"metered_limit_name": "", "limit_name": ""}, MAIN),
        ({"metered_limit_name": "codex"}, MAIN),
        ({"limit_name": "Codex"}, MAIN),
        ({"metered_limit_name": "codex_bengalfox"}, "codex-bengalfox"),
        ({"limit_name": "GPT-5.3-Codex-Spark"}, "gpt-5.3-codex-spark"),
        ({"metered_limit_name": "codex_other", "limit_name": "codex"}, "codex-other"),
        ({"metered_limit_name": None, "limit_name": " codex_other "}, "codex-other"),
        *(({"metered_limit_name": odd}, None) for odd in (5, 0, {"name": "codex"}, "n" * 61, "a\nb", "\ud800", " ")),
    ],
)
def test_an_event_is_about_the_own_limit_unless_it_names_another(names: dict[str, Any], family: str | None) -> None:
    """A name that cannot be read does not make an event one about the account's own limit."""
    assert [each.family for each in quota.from_event(event(5, **names), NOW)] == ([family] if family else [])


@all_rows(
    ("entry", "family"),
    [
        ({"limit_name": "GPT-5.3-Codex-Spark", "metered_feature": "codex_bengalfox"}, "codex-bengalfox"),
        ({"limit_name": "GPT-5.3-Codex-Spark"}, "gpt-5.3-codex-spark"),
        ({"limit_name": "Images", "metered_feature": None}, "images"),
        ({"limit_name": "Images", "metered_feature": ""}, "images"),
        ({"metered_feature": 5, "limit_name": "Images"}, None),
        *(({"limit_name": odd}, None) for odd in ("codex", " CODEX ", "x" * 61, "", None, 5)),
    ],
)
def test_an_additional_limit_has_a_family_of_its_own(entry: dict[str, Any], family: str | None) -> None:
    """What cannot be kept apart from the account's own limit is left out, not counted there."""
    more = [{**entry, **usage(90)}, None, "x", {"rate_limit": None}]
    found = quota.from_usage(usage(10, additional_rate_limits=more), NOW)
    assert [(each.family, each.used_percent) for each in found] == [(MAIN, 10), *([(family, 90)] if family else [])]


@all_rows(
    ("window_of", "expected"),
    [
        ({"limit_window_seconds": 604_800}, (10_080, None)),
        ({"limit_window_seconds": 604_799}, (10_080, None)),
        ({"limit_window_seconds": 90}, (2, None)),
        ({"limit_window_seconds": 18_000, "reset_after_seconds": 60}, (300, NOW + 60)),
        ({"limit_window_seconds": 18_000, "reset_after_seconds": 60, "reset_at": NOW + 90}, (300, NOW + 90)),
        ({"limit_window_seconds": 18_000, "reset_after_seconds": 60, "reset_at": 0}, (300, NOW + 60)),
        *(({"limit_window_seconds": 60, "reset_after_seconds": odd}, (1, None)) for odd in (0, 36 * DAY, *ODD)),
    ],
)
def test_usage_gives_lengths_in_seconds_and_may_give_the_reset_as_a_span(
    window_of: dict[str, Any], expected: tuple[int, float | None]
) -> None:
    (found,) = quota.from_usage({"rate_limit": {"primary_window": {"used_percent": 5, **window_of}}}, NOW)
    assert (found.minutes, found.resets_at) == expected


def test_the_newest_of_a_family_and_length_wins() -> None:
    old = (window(10, 300, seen_at=NOW - 5), window(20, 10_080, seen_at=NOW), window(30, 300, family="b"))
    new = (window(11, 300, seen_at=NOW), window(21, 10_080, seen_at=NOW - 5), window(40, 300, family="a"))
    expected = (new[2], old[2], new[0], old[1])
    assert merged(old, new) == tuple(sorted(expected, key=lambda each: (each.family, each.minutes)))
    assert merged(iter(old), iter(())) == (old[2], old[0], old[1])


@all_rows(
    ("each", "share"),
    [
        (window(0), 1.0),
        (window(25), 0.75),
        (window(100), 0.0),
        (window(130), 0.0),
        (window(-3), 1.0),
        (window(100, resets_at=NOW), 1.0),
        (window(100, resets_at=NOW - DAY), 1.0),
        (window(100, resets_at=NOW + 1), 0.0),
        (window(100, resets_at=None), 0.0),
        (window(100, resets_at=None, seen_at=NOW - 300 * 60), 1.0),
        (window(100, resets_at=None, seen_at=NOW - 300 * 60 + 1), 0.0),
    ],
)
def test_a_window_is_free_again_when_its_reset_has_passed(each: Window, share: float) -> None:
    """Without a reset it has ended when its own length has gone by."""
    assert left(each, NOW) == share


@all_rows(
    ("windows", "limit", "seconds"),
    [
        ([], 100, None),
        ([window(99.6)], 100, None),
        ([window(99.6)], 99.6, HOUR),
        ([window(100)], 100, HOUR),
        ([window(95)], 90, HOUR),
        ([window(89.9)], 90, None),
        ([window(100, resets_at=NOW)], 100, None),
        ([window(100, resets_at=NOW - 1)], 100, None),
        ([window(100, family="codex-bengalfox")], 100, None),
        ([window(100, resets_at=None)], 100, 300 * 60),
        ([window(100, resets_at=None, seen_at=NOW - 60)], 100, 299 * 60),
        ([window(100, resets_at=None, seen_at=NOW - DAY)], 100, None),
        ([window(100), window(100, 10_080, resets_at=NOW + DAY)], 100, DAY),
        ([window(100, 10_080, resets_at=NOW + DAY), window(100)], 100, DAY),
        ([window(100), window(50, 10_080, resets_at=NOW + DAY)], 100, HOUR),
        ([window(100, resets_at=NOW - 1), window(100, 10_080, resets_at=NOW + DAY)], 100, DAY),
    ],
)
def test_what_is_used_up_defers_to_its_last_reset(windows: list[Window], limit: float, seconds: float | None) -> None:
    until = deferred_until(windows, limit_percent=limit, now=NOW)
    assert until == (None if seconds is None else NOW + seconds)


@all_rows(
    ("old", "new", "worth"),
    [
        ((), (), False),
        ((), (window(),), True),
        ((window(),), (), True),
        ((window(),), (window(minutes=299),), True),
        ((window(),), (window(family="codex-other"),), True),
        ((window(), window(5, WEEKLY)), (window(5, WEEKLY), window()), False),
        ((window(), window(5, WEEKLY)), (window(), window(6, WEEKLY)), True),
        *(((window(a),), (window(b),), True) for a, b in [(50, 51), (50, 49), (89.8, 90), (90, 89.8)]),
        *(((window(a),), (window(b),), True) for a, b in [(94.8, 95), (95, 94.8), (99.6, 100), (100, 99.6)]),
        *(((window(a),), (window(b),), False) for a, b in [(50, 50), (50, 50.9), (50, 49.1), (99.2, 99.6)]),
        *(((window(),), (window(resets_at=LATER + seconds),), True) for seconds in (61, -61)),
        *(((window(),), (window(resets_at=LATER + seconds),), False) for seconds in (60, -60)),
        ((window(),), (window(resets_at=None),), True),
        ((window(resets_at=None),), (window(),), True),
        ((window(resets_at=None),), (window(resets_at=None),), False),
        ((window(),), (window(seen_at=NOW + 300),), False),
        ((window(),), (window(seen_at=NOW + 301),), True),
    ],
)
def test_only_what_matters_is_worth_writing(old: tuple[Window, ...], new: tuple[Window, ...], worth: bool) -> None:
    assert worth_writing(old, new) is worth


def test_a_plan_has_a_rough_capacity_and_an_unknown_one_counts_as_plus() -> None:
    small, large = {"free": 0.2, "go": 0.5}, {"enterprise": 2, "prolite": 5, "pro": 10, " Pro ": 10}
    plain = dict.fromkeys(["plus", "team", "business", "edu", "", "of tomorrow"], 1)
    for plan, weight in (small | plain | large).items():
        assert capacity(plan) == weight


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
NAMES = st.sampled_from(["rate_limits", "primary", "rate_limit", "primary_window", "additional_rate_limits"])
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5))
FIELDS = ["used_percent", "window_minutes", "limit_window_seconds", "reset_at", "reset_after_seconds"]
ONE = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, SCALARS | st.integers(0, 99_999)))


def everywhere(one: Any, name: Any) -> dict[str, Any]:
    """The same window in every place where an event or `/wham/usage` may have one."""
    limit = {"primary": one, "primary_window": one}
    more = [{"metered_feature": name, "rate_limit": limit}]
    return {"limit_name": name, "rate_limits": limit, "rate_limit": limit, "additional_rate_limits": more}


PAYLOADS = st.builds(everywhere, ONE, SCALARS)
STARTS, ENDS = ["x-", "", "x-codex"], ["-primary-used-percent", "-primary-window-minutes", "-secondary-reset-at", ""]
HEADERS = st.dictionaries(
    st.builds("{}{}{}".format, st.sampled_from(STARTS), st.text(max_size=8), st.sampled_from(ENDS))
    | st.sampled_from(sorted(headers(1) | headers(1, name="codex-secondary"))),
    SCALARS.map(str),
)
TIMES = st.floats(0, 4e9)
USED, LENGTHS = st.floats(0, 100), st.sampled_from([300, WEEKLY])
WHEN = {"resets_at": st.none() | TIMES, "seen_at": st.sampled_from([NOW, NOW + 1]) | TIMES}
WINDOWS = st.lists(st.builds(window, USED, LENGTHS, family=st.sampled_from([MAIN, "b"]), **WHEN), max_size=8)


def sane(found: tuple[Window, ...], now: float) -> bool:
    """What holds for whatever a reader returns."""
    assert found == merged(found, ())
    for each in found:
        assert 0 <= each.used_percent <= 100
        assert 0 < each.minutes <= 35 * 24 * 60
        assert each.resets_at is None or each.resets_at <= now + 35 * DAY
        assert each.family
        assert each.seen_at == now
    return True


@given(payload=JSON | PAYLOADS, now=TIMES)
def test_no_json_is_too_odd_to_read(payload: Any, now: float) -> None:
    for read in (quota.from_event, quota.from_usage):
        assert sane(read(payload, now), now)


@given(named=HEADERS, now=TIMES)
def test_no_headers_are_too_odd_to_read(named: Mapping[str, str], now: float) -> None:
    assert sane(quota.from_headers(named, now), now)


@given(old=WINDOWS, new=WINDOWS)
def test_merging_is_idempotent_and_does_not_depend_on_the_order(old: list[Window], new: list[Window]) -> None:
    once = merged(old, new)
    assert merged(once, once) == merged(once, new) == merged(old, once) == once
    assert merged(new, old) == merged(old[::-1], new[::-1]) == once
    assert not worth_writing(once, once)


@given(used=st.floats(), resets_at=st.none() | st.floats(), seen_at=st.floats(), now=TIMES)
def test_what_is_left_is_a_share(used: float, resets_at: float | None, seen_at: float, now: float) -> None:
    """Also for numbers that no reader lets through."""
    assert 0 <= left(window(used, resets_at=resets_at, seen_at=seen_at), now) <= 1


@given(windows=WINDOWS, limit=st.floats(0, 100), now=TIMES)
def test_nobody_is_deferred_to_the_past(windows: list[Window], limit: float, now: float) -> None:
    until = deferred_until(windows, limit_percent=limit, now=now)
    assert until is None or until > now
