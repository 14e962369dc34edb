"""Numbers as people read them at a glance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.numbers import short


@given(st.integers(0, 10**14))
def test_numbers_are_short(number: int) -> None:
    said = short(number)
    assert len(said) <= 5
    units = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    value = float(said.rstrip("kMGT")) * units.get(said[-1], 1)
    assert value == pytest.approx(number, rel=0.05)


def test_examples_of_numbers() -> None:
    assert [short(each) for each in (0, 999, 1000, 9_140, 99_960, 128_000, 999_600, 1_234_567)] == [
        *("0", "999", "1k", "9.1k", "100k", "128k", "1M", "1.2M")
    ]
