"""Pictures of numbers: where things are on them, and what they say to who does not see them."""

import re

import pytest

from accounts.choice.selection import Candidate, Situation
from accounts.forecast import forecast
from addons.dashboard.views.charts import HOUR, Bucket, Lane, Spot, Stretch, lanes, outlook, stacked, ticks
from tests.builders import DAY, NOW, account, window


def test_a_lane_is_drawn_to_scale() -> None:
    lane = Lane(name="ann", said="ann", spans=[Stretch(since=NOW + 25, until=NOW + 75, kind="good", words="serves")],
                marks=[Spot(at=NOW + 50, kind="bad", words="left", href="#r1")])  # fmt: skip
    text = lanes([lane], NOW, NOW + 100, label="when")
    assert 'x="25.000%"' in text
    assert 'width="50.000%"' in text
    assert 'cx="50.000%"' in text
    assert '<a href="#r1" aria-label="left">' in text
    assert 'aria-label="ann: serves"' in text


def test_what_lies_outside_is_at_the_edge() -> None:
    lane = Lane(name="a", said="a", spans=[Stretch(since=NOW - 99, until=NOW + 999, kind="good", words="")])
    text = lanes([lane], NOW, NOW + 100, label="")
    assert 'x="0.000%"' in text
    assert 'width="100.000%"' in text


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize(
    ("hours", "form"), [(1, r"\d\d:\d\d"), (6, r"\d\d:00"), (24, r"\d\d:00"), (24 * 7, r"\w{3} \d\d")]
)
def test_ticks_are_full_hours_or_days_of_the_local_time_and_few(hours: int, form: str) -> None:
    found = ticks(NOW, NOW + hours * HOUR)
    assert 2 <= len(found) <= 7
    assert all(re.fullmatch(form, name) for _, name in found)
    assert all(NOW <= at <= NOW + hours * HOUR for at, _ in found)


def test_the_forecast_shows_when_the_pool_is_dry_and_back() -> None:
    spent = [Candidate(account=account(name), has_tokens=True, windows=(window(80, 4000),)) for name in ("ann", "bob")]
    paused = Candidate(account=account("cleo", enabled=False), has_tokens=True)
    found = forecast([*spent, paused], Situation(now=NOW))
    assert found.out_at is not None
    text = outlook(found, NOW)
    assert re.search(r"dry at (\w+ )?\d\d:\d\d at this pace", text)
    assert "nobody serves until" in text
    assert "cleo: paused" in text


def test_a_pool_that_lasts_has_one_band() -> None:
    easy = Candidate(account=account("ann"), has_tokens=True, windows=(window(1, DAY, minutes=10_080),))
    text = outlook(forecast([easy], Situation(now=NOW)), NOW)
    assert "The pool: lasts" in text
    assert "nobody serves" not in text


def test_bars_stand_on_each_other_and_the_largest_has_all_the_room() -> None:
    text = stacked(
        [Bucket(name="Mon", parts={"a": 30, "b": 10}), Bucket(name="Tue", parts={"a": 20})], ["a", "b"], label="tokens"
    )
    tall = [float(each) for each in re.findall(r'height="([\d.]+)%" class="fill c', text)]
    assert tall == [69.0, 23.0, 46.0]
    assert "Mon, b: 10" in text
    assert 'aria-label="tokens"' in text


def test_nothing_is_an_empty_chart() -> None:
    assert "fill c" not in stacked([Bucket(name="Mon")], [], label="")
