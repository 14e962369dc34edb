"""The block in the client's `.env` comes and goes without a trace, and an edited one is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.dotenv import DamagedBlock, Unwritable, assignments, bind, block, open_quote, unbind
from tests.rows import all_rows

VARIABLES = {"HTTPS_PROXY": "http://127.0.0.1:8118", "NO_PROXY": "localhost,127.0.0.1,::1"}
OTHERS = {"HTTPS_PROXY": "http://127.0.0.1:9000", "SSL_CERT_FILE": '/a folder/it\'s "$HOME"\\ü.pem'}

pieces = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b"\n\n", b"A=1", b"# don't", b"\xff\xfe", b"\0", b'B="', b"\xef\xbb\xbf", b"\\", b"'"]
)
anything = st.none() | st.binary(max_size=60) | st.lists(pieces, max_size=12).map(b"".join)
contents = anything.filter(lambda content: b"codex-rotate bind" not in (content or b""))
"""Hypothesis knows the markers, because it reads the constants of the code; files with those come further below."""
marks = st.sampled_from([*bind(b"A=1", VARIABLES).splitlines(keepends=True), *bind(None, OTHERS).split(b"\n")])
tangled = st.lists(pieces | marks, max_size=10).map(b"".join)


# --- in and out ------------------------------------------------------------------------------------------------------


@given(contents)
def test_unbind_gives_back_every_byte(content: bytes | None) -> None:
    """Whatever was there, no file included."""
    assert unbind(bind(content, VARIABLES)) == content


@given(contents)
def test_binding_twice_is_binding_once(content: bytes | None) -> None:
    once = bind(content, VARIABLES)
    assert bind(once, VARIABLES) == once


@given(contents)
def test_another_proxy_replaces_the_block(content: bytes | None) -> None:
    """Nothing of the first block is left."""
    assert bind(bind(content, VARIABLES), OTHERS) == bind(content, OTHERS)


@given(contents)
def test_what_is_there_stays_in_front_of_the_block(content: bytes | None) -> None:
    """And the block has lines of its own, the last ones."""
    bound = bind(content, VARIABLES)
    assert bound.startswith(content or b"")
    shown = [line.encode() for line in block(bound)]
    assert len(shown) == 4
    assert [line.removesuffix(b"\r") for line in bound.split(b"\n")[-5:]] == [*shown, b""]


@given(tangled)
def test_remains_of_blocks_are_undone_or_refused(content: bytes) -> None:
    """Never guessed about: both directions refuse the same files, and what is not refused can be undone."""
    try:
        plain = unbind(content)
    except DamagedBlock:
        with pytest.raises(DamagedBlock):
            bind(content, VARIABLES)
    else:
        assert unbind(bind(content, VARIABLES)) == plain


@given(st.lists(pieces, max_size=6).map(b"".join), st.sampled_from([b"B=2\n", b"B=2", b"B=2\r\nC=3\r\n"]))
def test_lines_that_came_after_the_block_stay_lines(content: bytes, later: bytes) -> None:
    """Also where the line before the block had no end: the two must not become one."""
    left = unbind(bind(content, VARIABLES) + later)
    assert left is not None
    assert left.startswith(content)
    assert left.endswith(later)
    assert left.removesuffix(later)[-1:] in (b"", b"\n")
    assert bind(left, VARIABLES) == bind(bind(content, VARIABLES) + later, VARIABLES)


@all_rows(
    ("content", "ending"), [(None, "\n"), (b"", "\n"), (b"A=1", "\n"), (b"A=1\r\nB=2", "\r\n"), (b"A\r\nB\n", "\n")]
)
def test_the_block_ends_its_lines_as_the_file_does(content: bytes | None, ending: str) -> None:
    bound = bind(content, VARIABLES).removeprefix(content or b"").decode().removeprefix(ending)
    assert bound == "".join(line + ending for line in bound.splitlines())


def test_an_editor_that_changes_all_line_ends_does_no_harm() -> None:
    """The block is still known, and so is one whose last line end was cut off."""
    bound = bind(b"A=1\n", VARIABLES)
    assert unbind(bound.replace(b"\n", b"\r\n")) == b"A=1\r\n"
    assert unbind(bound.rstrip(b"\n")) == b"A=1\n"


def test_a_file_of_ours_that_the_user_wrote_into_is_the_users() -> None:
    assert unbind(bind(None, VARIABLES) + b"A=1\n") == b"A=1\n"
    assert unbind(b"A=1\n" + bind(None, VARIABLES)) == b"A=1\n"


# --- damage ----------------------------------------------------------------------------------------------------------

BOUND = bind(b"A=1\n", VARIABLES)
FIRST, *_, LAST = [line + b"\n" for line in BOUND.splitlines()[1:]]


@all_rows(
    ("content", "line"),
    [
        pytest.param(BOUND.replace(LAST, b""), 2, id="no end"),
        pytest.param(BOUND.replace(FIRST, b""), 4, id="no beginning"),
        pytest.param(BOUND.replace(b":8118", b":8119"), 2, id="a value edited"),
        pytest.param(BOUND.replace(LAST, b"B=2\n" + LAST), 2, id="a line added"),
        pytest.param(BOUND.replace(b"the file", b"a file").replace(b"takes", b"took"), 2, id="the first line edited"),
        pytest.param(BOUND.replace(LAST, b" " + LAST), 2, id="the last line moved"),
        pytest.param(BOUND.replace(FIRST, FIRST.replace(b"\n", b"\r\n")), 2, id="mixed line ends"),
        pytest.param(BOUND + BOUND, 7, id="two blocks"),
        pytest.param(LAST + BOUND.replace(LAST, b""), 1, id="the wrong way round"),
    ],
)
def test_a_damaged_block_is_named_by_its_line(content: bytes, line: int) -> None:
    for work in (unbind, block, assignments, open_quote, lambda text: bind(text, VARIABLES)):
        with pytest.raises(DamagedBlock) as caught:
            work(content)
        assert caught.value.line == line


def test_words_about_us_are_no_block() -> None:
    assert unbind(b"# codex-rotate bind does not work\n") == b"# codex-rotate bind does not work\n"


# --- values ----------------------------------------------------------------------------------------------------------


@all_rows(
    ("value", "written"),
    [
        ("http://127.0.0.1:8118", b"http://127.0.0.1:8118"),
        ("http://[::1]:8118", b'"http://[::1]:8118"'),
        ("/a b/c.pem", b'"/a b/c.pem"'),
        ("C:\\a\\b.pem", b'"C:\\\\a\\\\b.pem"'),
        ("$x\"y'z", b'"\\$x\\"y\'z"'),
        ("/ü", '"/ü"'.encode()),
    ],
)
def test_values_are_quoted_where_the_clients_reader_needs_it(value: str, written: bytes) -> None:
    """tests/e2e/test_bind.py has the client itself read such values."""
    assert b"\nX=" + written + b"\n" in bind(b"", {"X": value})


@all_rows("value", ["a\nb", "a\rb", "a\0b", "a\udcffb"])
def test_values_that_the_file_cannot_hold_are_refused(value: str) -> None:
    with pytest.raises(Unwritable):
        bind(b"", {"X": value})


# --- the user's part -------------------------------------------------------------------------------------------------


@all_rows(
    ("content", "found"),
    [
        pytest.param(b"A=1\nHTTPS_PROXY=x\n", [(1, "A", "1"), (2, "HTTPS_PROXY", "x")], id="plain"),
        pytest.param(b"  export  A = 'x y' \r\n", [(1, "A", "x y")], id="export, blanks, quotes"),
        pytest.param(b"# A=1\n  # B='\nC=1 # don't\n", [(3, "C", "1")], id="remarks"),
        pytest.param(b'A="\nHTTPS_PROXY=x\n"\nB=2\n', [(1, "A", "\nHTTPS_PROXY=x\n"), (4, "B", "2")], id="many lines"),
        pytest.param(b'A="\\"\nB=2\n"\nC=3', [(1, "A", '\\"\nB=2\n'), (4, "C", "3")], id="a hidden quote"),
        pytest.param(b"A=\\'\nB=2\n", [(1, "A", "\\'"), (2, "B", "2")], id="a hidden quote outside"),
        pytest.param(b"A='\\'\nB='\nC=3\n", [(1, "A", "\\'\nB="), (3, "C", "3")], id="hidden within single quotes"),
        pytest.param(b"A='x\n\xff\nB=2\n", [(3, "B", "2")], id="not text"),
        pytest.param(bind(b"A=1\n", VARIABLES) + b"B=2\n", [(1, "A", "1"), (6, "B", "2")], id="around the block"),
        pytest.param(None, [], id="no file"),
    ],
)
def test_what_the_user_sets_is_read_as_the_client_reads_it(
    content: bytes | None, found: list[tuple[int, str, str]]
) -> None:
    assert [(each.line, each.name, each.value) for each in assignments(content)] == found


@all_rows(
    ("content", "line"),
    [
        (b"A='x'\nB=2\n", None),
        (b"A=1\nB=\"x\nC='2'\n", 2),
        (b"A=don't\n", 1),
        (b"# don't\n", None),
        (b"A=1 # don't\n", None),
        (b"A=1  # don't\n", 1),
        (b"A='x\n\xff\n", None),
    ],
)
def test_a_quote_that_stays_open_is_found(content: bytes, line: int | None) -> None:
    """It would swallow the block. Two blanks before a remark are a trap of the client's own."""
    assert open_quote(content) == line
    assert open_quote(bind(content, VARIABLES)) == line
