"""Forms of a token are found wherever they begin, and nothing else is."""

import base64
import itertools
import json
import quopri
import secrets
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addons.attempts.token_forms import SENT, TokenForms
from addons.redaction.flows import MARK
from tests.builders import token as tokens

TOKEN = ".".join(secrets.token_urlsafe(30) for _ in range(3)).encode()
SLASHED = b"an/opaque+token/of/some/length=="


@given(before=st.binary(max_size=9), after=st.binary(max_size=9), token=st.sampled_from([TOKEN, SLASHED]))
def test_base64_of_a_text_with_the_token_in_it(before: bytes, after: bytes, token: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + token + after)
        found = TokenForms.of(token).replaced(text)
        assert len(found) == len(text)
        read = base64.b64decode(found.replace(b"*", b"A").translate(bytes.maketrans(b"-_", b"+/")))
        assert token[3:-3] not in read
        assert found != text


WAYS = (
    b"%c",
    b"\\u%04x",
    b"\\u%04X",
    b"%%%02x",
    b"%%%02X",
    b"\\x%02x",
    b"&#%d;",
    b"&#x%x;",
    b"&#X%04X;",
    b"&amp;#%03d;",
)


@given(st.lists(st.sampled_from(WAYS), min_size=len(SLASHED), max_size=len(SLASHED)))
def test_any_mixture_of_escapes(ways: list[bytes]) -> None:
    text = b"".join(way % char for way, char in zip(ways, SLASHED, strict=True))
    found = TokenForms.of(SLASHED).replaced(b"<" + text + b">")
    assert (len(found), found[:1], found[-1:]) == (len(text) + 2, b"<", b">")
    assert b"opaque" not in found
    assert text not in found


def test_json_with_its_slashes_escaped() -> None:
    found = TokenForms.of(SLASHED).replaced(SLASHED.replace(b"/", b"\\/"))
    assert b"opaque" not in found


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-be", "utf-32"])
def test_two_and_four_bytes_a_character(coding: str) -> None:
    said = f'{{"error": "{TOKEN.decode()}"}}'.encode(coding)
    found = TokenForms.of(TOKEN).replaced(said)
    assert len(found) == len(said)
    assert TOKEN[20:40] not in found.replace(b"\0", b"")
    assert found.replace(b"\0", b"").endswith(b'"}')


def in_json(text: str) -> str:
    return json.dumps(text)[1:-1].replace("/", "\\/").replace("+", "\\u002b").replace(".", "\\u002E")


def in_url(text: str) -> str:
    return "".join(f"%{ord(each):02X}" if not each.isalnum() else each for each in text)


@pytest.mark.parametrize("token", [TOKEN, SLASHED])
@pytest.mark.parametrize("times", list(itertools.product([in_json, in_url], repeat=3)))
def test_escapes_within_escapes(token: bytes, times: tuple[Callable[[str], str], ...]) -> None:
    """JSON within JSON, a URL within a URL, one in the other."""
    text = token.decode()
    for escaped in times:
        text = escaped(text)
        said = f'<"{text}">'.encode()
        found = TokenForms.of(token).replaced(said)
        assert (len(found), found[:2], found[-2:]) == (len(said), b'<"', b'">')
        assert set(found[2:-2].removeprefix(MARK)) == {ord("*")}


@pytest.mark.parametrize("token", [TOKEN, SLASHED, TOKEN * 9])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n ", "\\n", "\\r\\n", "\\\\n", "%0A", "%250D%250A", "\\u000a"])
@pytest.mark.parametrize("columns", [40, 64, 76])
def test_base64_in_lines(token: bytes, end: str, columns: int) -> None:
    for before in (b"", b"x", b"Bearer "):
        whole = base64.b64encode(before + token + b"...").decode()
        lines = end.join(whole[at : at + columns] for at in range(0, len(whole), columns))
        found = TokenForms.of(token).replaced(f"<{lines}>".encode())
        assert len(found) == len(lines) + 2
        assert found[-2:] == f"{lines[-1]}>".encode()
        assert whole[16:30].encode() not in found.replace(end.encode(), b"")
        assert whole[-40:-20].encode() not in found.replace(end.encode(), b"")


DUMPS: dict[str, Callable[[bytes], str]] = {
    "hexadecimal": bytes.hex,
    "in capitals": lambda token: token.hex().upper(),
    "pairs": lambda token: token.hex(" "),
    "pairs with colons": lambda token: token.hex(":").upper(),
    "pairs with hyphens": lambda token: token.hex("-"),
    "pairs of bytes": lambda token: token.hex(" ", -2),
    "of a language": lambda token: ", ".join(f"0x{each:02X}" for each in token),
    "of another one": lambda token: "{" + ",".join(f"0x{each:02x}" for each in token) + "}",
    "as one number": lambda token: f"0x{int.from_bytes(token):X}",
    "lines": lambda token: "\n".join(token.hex()[at : at + 32] for at in range(0, len(token.hex()), 32)),
    "lines of pairs": lambda token: "\\n".join(token[at : at + 16].hex(" ") for at in range(0, len(token), 16)),
    "numbers": lambda token: str(list(token)),
    "numbers without spaces": lambda token: json.dumps(list(token), separators=(",", ":")),
    "numbers in lines": lambda token: json.dumps(list(token), indent=2),
    "numbers without commas": lambda token: " ".join(map(str, token)),
}


@pytest.mark.parametrize("token", [TOKEN, SLASHED, TOKEN * 9])
@pytest.mark.parametrize("way", DUMPS)
def test_dumps_of_its_bytes(token: bytes, way: str) -> None:
    text = f"<{DUMPS[way](token)}>"
    found = TokenForms.of(token).replaced(text.encode())
    assert (len(found), found[:1], found[-1:]) == (len(text), b"<", b">")
    assert set(found.replace(MARK, b"").strip(b"[]{}<> \n").removeprefix(b"0x")) == {ord("*")}


@pytest.mark.parametrize("token", [TOKEN, TOKEN * 9])
@pytest.mark.parametrize("before", ["", "Bearer ", "x" * 60, "x" * 70])
@pytest.mark.parametrize(
    "escaped", [str, lambda text: json.dumps(text)[1:-1], urllib.parse.quote], ids=["mail", "json", "url"]
)
def test_quoted_printable(token: bytes, before: str, escaped: Callable[[str], str]) -> None:
    said = escaped(quopri.encodestring(before.encode() + token + b" \xe9").decode()).encode()
    found = TokenForms.of(token).replaced(said)
    assert len(found) == len(said)
    for begin in range(0, len(token) - 12, 4):
        assert escaped(token[begin : begin + 12].decode()).encode() not in found


def test_quoted_printable_of_what_is_special_in_it() -> None:
    found = TokenForms.of(SLASHED).replaced(b"<" + quopri.encodestring(SLASHED) + b">")
    assert set(found[1:-1].removeprefix(MARK)) == {ord("*")}


def test_quoted_printable_of_every_character() -> None:
    for way in ("=%02X", "=%02x"):
        text = "".join(way % each for each in SLASHED)
        found = TokenForms.of(SLASHED).replaced(f"<{text}>".encode())
        assert set(found[1:-1].removeprefix(MARK)) == {ord("*")}


@pytest.mark.parametrize("end", ["\n", "\r\n\t", "\\n", "%0A"])
@pytest.mark.parametrize("columns", [40, 64])
def test_a_plain_one_in_lines(end: str, columns: int) -> None:
    whole = (b"Bearer " + TOKEN).decode()
    lines = end.join(whole[at : at + columns] for at in range(0, len(whole), columns))
    found = TokenForms.of(TOKEN).replaced(f"<{lines}>".encode())
    assert (len(found), found[:8], found[-1:]) == (len(lines) + 2, b"<Bearer ", b">")
    assert set(found[8:-1].removeprefix(MARK)) == {ord("*")}


@given(
    st.lists(
        st.sampled_from(
            [
                b"a",
                b"\\",
                b"%",
                b"25",
                b"5C",
                b"u00",
                b"2e",
                b"/",
                b"\n",
                b"&#46;",
                b"\0",
                TOKEN[:20],
                b"=",
                b"=2E",
                TOKEN[:5].hex().encode(),
            ]
        ),
        max_size=60,
    )
)
def test_nothing_that_looks_like_an_escape_is_changed(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert TokenForms.of(TOKEN).replaced(data) is data


@pytest.mark.parametrize(
    "data", [b"", (TOKEN[:-1] + b"!") * 3, b"%zz \\u12", base64.b64encode(TOKEN[:-4]) * 2, b"%41" * 900]
)
def test_what_is_no_token_stays_the_same_object(data: bytes) -> None:
    assert TokenForms.of(TOKEN).replaced(data) is data


def test_the_tokens_of_other_accounts_are_found_as_they_were_sent() -> None:
    """Whoever has been sent both can tell one account's client the other's."""
    one, two, strange = (tokens(sub=name).encode() for name in ("one", "two", "strange"))
    SENT.add(two)
    found = TokenForms(one).replaced(b"a " + two + b", " + strange + b" and " + one)
    assert found.startswith(b"a " + MARK)
    assert (two in found, one in found, strange in found) == (False, False, True)
    assert len(found) == len(b"a , and ") + len(one) + len(two) + len(strange) + 1
    nothing = b'{"x": "' + strange + b'"}'
    assert TokenForms(one).replaced(nothing) is nothing
