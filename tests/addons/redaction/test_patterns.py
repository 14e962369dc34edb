"""Each reader masks each kind of secret that it has chosen, and leaves all else as it is."""

import logging
from collections.abc import Callable
from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.test import taddons, tflow

from addons.inspection import render
from addons.redaction.flows import FlowRedactor
from addons.redaction.logs import MaskedLogs
from addons.redaction.patterns import (
    IN_FLOWS,
    IN_LOGS,
    IN_REPORTS,
    IN_VIEWS,
    NEVER_IN_REPORTS,
    RULES,
    SecretClass,
    is_secret_field,
    may_hold_secret,
)
from addons.startup import Startup
from cli.report.redaction import Sweep
from tests.rows import all_rows
from tests.secret_samples import CODE, HARMLESS, SAMPLES, Sample


def in_flow(text: str) -> str:
    flow = tflow.tflow()
    flow.request.content = text.encode()
    shown = FlowRedactor(watched=True)
    shown.request_head(flow.request)
    shown.request_body(flow.request)
    return (flow.request.content or b"").decode()


def in_log(text: str) -> str:
    startup = Startup()
    record = logging.LogRecord("somebody", logging.INFO, "x.py", 1, "%s", (text,), None)
    with taddons.context(startup):
        MaskedLogs(startup).filter(record)
    return record.getMessage()


READERS: Final[dict[str, tuple[Callable[[str], str], frozenset[SecretClass]]]] = {
    "flow": (in_flow, IN_FLOWS),
    "log": (in_log, IN_LOGS),
    "view": (render.masked, IN_VIEWS),
    "report": (Sweep([]).free, IN_REPORTS),
}
CHOSEN = [(reader, sample) for reader, (_, classes) in READERS.items() for sample in SAMPLES if sample.kind in classes]


@all_rows(("reader", "sample"), CHOSEN, ids=lambda each: getattr(each, "name", each))
def test_every_reader_masks_every_kind_that_it_has_chosen(reader: str, sample: Sample) -> None:
    read = READERS[reader][0]
    shown = read(sample.text)
    assert sample.secret not in shown
    assert read(shown) == shown


@given(st.sampled_from(CHOSEN), st.text(max_size=30), st.text(max_size=30))
def test_what_is_around_a_secret_does_not_hide_it(chosen: tuple[str, Sample], before: str, after: str) -> None:
    """In lines of their own: a letter more makes another word of it."""
    reader, sample = chosen
    shown = READERS[reader][0](f"{before}\n{sample.text}\n{after}".encode("utf-8", "replace").decode())
    assert sample.secret not in shown


@all_rows("reader", READERS)
@all_rows("text", HARMLESS)
def test_what_is_no_secret_stays_byte_for_byte(reader: str, text: str) -> None:
    assert READERS[reader][0](text) == text


@all_rows("reader", ["flow", "log", "view"])
@all_rows("text", CODE)
def test_code_stays_byte_for_byte(reader: str, text: str) -> None:
    assert READERS[reader][0](text) == text


def test_every_class_is_read_by_somebody_and_has_a_row_and_a_sample() -> None:
    chosen = IN_FLOWS | IN_LOGS | IN_VIEWS | IN_REPORTS
    assert set(SecretClass) == chosen == {rule.kind for rule in RULES} == {sample.kind for sample in SAMPLES}
    assert NEVER_IN_REPORTS <= IN_REPORTS


def test_each_row_has_a_name_of_its_own_and_its_word_in_lower_case() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.word == rule.word.lower() for rule in RULES)


def test_a_sealed_content_stays_in_a_flow_and_is_a_mark_elsewhere() -> None:
    """By it the view sees whose it is."""
    (sample,) = (each for each in SAMPLES if each.name == "sealed content")
    assert in_flow(sample.text) == sample.text
    assert f"sealed, {len(sample.secret)} characters, mark " in render.masked(sample.text)


def test_a_view_shows_what_the_conversation_says_of_people() -> None:
    for sample in SAMPLES:
        if sample.kind in {SecretClass.MAIL, SecretClass.ACCOUNT}:
            assert render.masked(sample.text) == sample.text


@all_rows(
    ("name", "only", "perhaps"),
    [
        ("Authorization", True, True),
        ("set-cookie", True, True),
        ("refresh_token", True, True),
        ("tokens", False, True),
        ("MY_CREDENTIALS", False, True),
        ("model", False, False),
    ],
)
def test_names_say_what_they_hold(name: str, only: bool, perhaps: bool) -> None:
    assert (is_secret_field(name), may_hold_secret(name)) == (only, perhaps)
