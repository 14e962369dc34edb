"""The table of proxies is sound."""

from benchmarks import cases
from benchmarks.cases import CASES


def test_names_are_unique():
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_case_is_compared_with_a_row_that_has_no_addon():
    plain = {case.name for case in CASES if case.proxied and not case.accounts}
    assert {case.base for case in CASES} <= plain


def test_lists_name_rows():
    names = {case.name for case in CASES}
    for row in (cases.SHORT, cases.EVERY, cases.FEW):
        assert set(row) <= names
        assert {cases.DIRECT, cases.PLAIN, cases.AGAIN, cases.OURS} <= set(row)


def test_a_case_is_compared_with_one_that_is_run_with_it():
    for row in (cases.SHORT, cases.EVERY, cases.FEW):
        assert {case.base for case in cases.named(row)} <= set(row)
