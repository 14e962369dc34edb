"""How a transcript is written: bounded, masked, and YAML as far as that is possible."""

import json
import re
import secrets
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from addons.inspection import render as written
from addons.redaction.patterns import SECRET
from tests.builders import token
from tests.rows import all_rows

MASK = SECRET.decode()
JWT = token({"chatgpt_account_id": "acct-a"})
KEY = f"sk-proj-{secrets.token_urlsafe(24)}"
OPAQUE = f"opaque{secrets.token_hex(12)}"
BLOB = f"gAAAA{secrets.token_urlsafe(200)}"


def yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


# --- masking ---------------------------------------------------------------------------------------------------------


@all_rows(
    ("text", "secret"),
    [
        (f"token {JWT} there", JWT),
        (JWT[:40], JWT[:40]),  # a cut has left this
        (f"Authorization: Bearer {OPAQUE}", OPAQUE),
        (f"bearer\t{OPAQUE}", OPAQUE),
        (f'"authorization": "Basic {OPAQUE}"', OPAQUE),
        (f"curl -H 'authorization: basic {OPAQUE}'", OPAQUE),
        (f"export OPENAI_API_KEY={KEY}", KEY),
        (f"rt_{OPAQUE}{OPAQUE}", OPAQUE),
        (f'{{"encrypted_content":"{BLOB}', BLOB),
        (f'{{"encrypted_content" : "{OPAQUE}\\"{OPAQUE}"}}', OPAQUE),
        (f"see {BLOB}", BLOB),
    ],
)
def test_a_secret_is_masked_and_what_is_around_it_stays(text: str, secret: str) -> None:
    shown = written.masked(text)
    assert secret not in shown
    assert re.split(r"\[|sealed", shown)[0] in text
    assert written.masked(shown) == shown


@all_rows("text", ["the bearer of news", "disk-usage", "task-something-long", "Basic English", "sk-1"])
def test_prose_is_not_masked(text: str) -> None:
    assert written.masked(text) == text


@all_rows("name", ["authorization", "Cookie", "access_token", "refresh-token", "api_key", "password"])
@all_rows("value", ["x", {"a": "x"}, ["x"]])
def test_a_field_named_like_a_secret_is_masked_whatever_it_looks_like(name: str, value: object) -> None:
    assert written.scrubbed({"in": {name: value}}) == {"in": {name: MASK}}


def test_a_number_of_tokens_is_no_secret() -> None:
    assert written.scrubbed({"token": 5, "tokens": {"input": 1}}) == {"token": 5, "tokens": {"input": 1}}


def test_a_finished_transcript_is_masked_once_more() -> None:
    assert JWT not in written.finished([f"a: {JWT}", f"b: {KEY}"])


# --- sealed and binary parts -----------------------------------------------------------------------------------------


def test_a_sealed_content_is_its_owner_its_size_and_a_mark() -> None:
    shown = written.seal(BLOB, "work")
    assert shown.startswith(f"sealed by work, {len(BLOB)} characters, mark ")
    assert written.seal(BLOB, "") == shown.replace(" by work", "")
    assert written.seal(BLOB + "x", "").split()[-1] != shown.split()[-1]


def test_sealed_and_binary_values_are_told_by_their_size_wherever_they_are() -> None:
    image = f"data:image/png;base64,{'A' * 4000}"
    shown = written.pretty({"deep": [{"encrypted_content": BLOB, "image_url": image}]})
    assert BLOB not in shown
    assert "AAAA" not in shown
    assert "image/png, 4,022 characters" in shown


# --- lines and bounds ------------------------------------------------------------------------------------------------


def test_a_text_that_fits_is_shown_in_one_line() -> None:
    assert written.folded("a\n  b\tc") == "a b c"


def test_a_long_text_is_folded_to_its_beginning_and_its_size() -> None:
    shown = written.folded("word " * 1000 + "\nend")
    assert shown.startswith("word word")
    assert shown.endswith("… (2 lines, 5,004 characters)")
    assert len(shown) < 120


def test_the_first_lines_say_how_many_are_left() -> None:
    assert written.opening("a\r\nb\rc\nd\n", 2, 100) == "a\nb\n… 2 more lines"
    assert written.opening("a\nb\n", 2, 100) == "a\nb"


def test_prose_is_wrapped_at_spaces_and_keeps_its_indentation() -> None:
    lines = written.prose("  - " + "word " * 60 + "\n\nshort\n" + "x" * 300).split("\n")
    assert max(len(line) for line in lines if "x" not in line) <= written.WIDTH
    assert lines[1].startswith("  word")
    assert lines[-3:] == ["", "short", "x" * 300]


def test_a_transcript_has_a_size() -> None:
    assert len(written.finished(["x" * (written.MOST * 2)])) < written.MOST + 100
    wide = written.pretty({"list": list(range(100_000)), "text": "x" * 1_000_000, **{str(n): n for n in range(5000)}})
    assert len(wide) < 30_000


def test_a_value_too_long_for_its_place_is_cut_and_says_so() -> None:
    lines = written.block("a", ["x" * 50] * 100, indent=0, most=500)
    assert lines[-1].strip().startswith("…")
    assert yaml("\n".join(lines))["a"].startswith("[")


def test_a_deep_value_ends_somewhere() -> None:
    value: object = 1
    for _ in range(5000):
        value = [value]
    assert "…" in written.pretty(value)


@given(st.text())
def test_a_scalar_is_what_it_was(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    line = written.scalar(text)
    assert "\n" not in line
    if text.isprintable():
        assert str(yaml(f"a: {line}")["a"]) == text or not line.startswith(('"', "'"))


@given(
    st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"], include_characters="\n\r\t"), max_size=400)
)
def test_a_text_of_any_shape_is_a_block_that_yaml_reads(text: str) -> None:
    text += "\nend"
    read = yaml("\n".join(written.entry("a", text, indent=0)) + "\n")["a"]
    assert read.rstrip("\n") == text.replace("\r\n", "\n").replace("\r", "\n")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda each: st.lists(each, max_size=5) | st.dictionaries(st.text(max_size=20), each, max_size=5),
        max_leaves=20,
    )
)
def test_any_json_can_be_shown(value: object) -> None:
    shown = written.finished([written.pretty(json.loads(json.dumps(value)))])
    assert shown.encode().decode() == shown


@all_rows("seconds", [1e300, -1e300, float("inf"), float("nan"), 0.0])
def test_any_number_is_a_moment(seconds: float) -> None:
    assert written.moment(seconds)


def test_a_moment_says_its_zone() -> None:
    assert written.moment(1_800_000_000) == "2027-01-15 08:00 UTC"
