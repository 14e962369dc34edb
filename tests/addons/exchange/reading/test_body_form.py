"""What the body of an answer is, told by its first bytes and not by its head."""

import gzip
import logging

import pytest
from mitmproxy import http

from addons.exchange.reading.body_form import BodyReader, Form

EVENT = b'data: {"type": "response.created"}\n\n'


def reader(status: int = 200, *, opaque: bool = False, **headers: str) -> BodyReader:
    response = http.Response.make(status)
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return BodyReader(response, http.Request.make("POST", "https://chatgpt.com/"), opaque=opaque)


@pytest.mark.parametrize(
    ("beginning", "form"),
    [
        (EVENT, Form.EVENTS),
        (b"event: x\n", Form.EVENTS),
        (b": keepalive\n\n", Form.EVENTS),
        (b"id: 1\n", Form.EVENTS),
        (b"retry: 1\n", Form.EVENTS),
        (b"\xef\xbb\xbf" + EVENT, Form.EVENTS),
        (b"\r\n\r\n" + EVENT, Form.EVENTS),
        (b"\n" * 99, Form.EVENTS),
        (b"", Form.UNKNOWN),
        (b"\n", Form.UNKNOWN),
        (b"even", Form.UNKNOWN),
        (b"evening", Form.DOCUMENT),
        (b"{", Form.DOCUMENT),
        (b"<!doctype html>", Form.DOCUMENT),
        (b"[1]", Form.DOCUMENT),
        (b"\x00\x01", Form.DOCUMENT),
    ],
)
@pytest.mark.parametrize("piecewise", [False, True])
def test_the_first_bytes_tell(beginning: bytes, form: Form, piecewise: bool) -> None:
    told = reader()
    for piece in [bytes([byte]) for byte in beginning] if piecewise else [beginning]:
        list(told.events_in(piece))
    assert told.form is form


def test_no_event_is_lost_while_that_is_found_out() -> None:
    told = reader()
    found = [kind for byte in EVENT * 2 for kind, _ in told.events_in(bytes([byte]))]
    assert found == ["response.created"] * 2


def test_what_its_head_calls_a_stream_is_one() -> None:
    assert reader(content_type="text/event-stream").form is Form.EVENTS


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b'{"error": {}}', Form.DOCUMENT),
        (b" \n[1]", Form.DOCUMENT),
        (b"\xef\xbb\xbf<html>", Form.DOCUMENT),
        (b"\n" * 99, Form.EVENTS),
        (b"", Form.EVENTS),
        (b"what nobody knows", Form.EVENTS),
        (b"\r\n" + EVENT, Form.EVENTS),
    ],
)
@pytest.mark.parametrize("piecewise", [False, True])
def test_unless_its_first_bytes_say_otherwise(body: bytes, form: Form, piecewise: bool) -> None:
    told = reader(content_type="text/event-stream")
    found = [
        kind for piece in (([bytes([b]) for b in body]) if piecewise else [body]) for kind, _ in told.events_in(piece)
    ]
    assert (told.form, told.is_stream) == (form, form is Form.EVENTS)
    assert found == ["response.created"] * body.count(EVENT)
    assert form is Form.EVENTS or told.document == body


def test_what_answers_an_upgrade_is_no_stream() -> None:
    upgrade = http.Request.make("GET", "https://chatgpt.com/", headers={"upgrade": "websocket"})
    response = http.Response.make(200, headers={"content-type": "text/event-stream", "content-encoding": "gzip"})
    told = BodyReader(response, upgrade, opaque=False)
    assert list(told.events_in(gzip.compress(EVENT))) == []
    assert (told.form, told.document) == (Form.DOCUMENT, EVENT)


@pytest.mark.parametrize("status", [300, 302, 404, 503])
def test_a_status_that_is_no_success_is_a_refusal(status: int) -> None:
    assert reader(status, content_type="text/event-stream").form is Form.REFUSAL


@pytest.mark.parametrize(("status", "opaque"), [(101, False), (200, True)])
def test_an_upgrade_and_what_is_not_to_be_read_pass(status: int, opaque: bool) -> None:
    assert reader(status, opaque=opaque, content_type="text/event-stream").form is Form.OPAQUE


def test_a_coded_stream_is_read_as_it_comes() -> None:
    told = reader(content_encoding="gzip")
    assert [kind for kind, _ in told.events_in(gzip.compress(EVENT))] == ["response.created"]
    assert not told.is_quiet(EVENT)


@pytest.mark.parametrize(("coding", "body"), [("lzma", EVENT), ("gzip", b"no gzip at all")])
def test_what_cannot_be_read_passes_and_is_said(coding: str, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        told = reader(content_encoding=coding)
        assert list(told.events_in(body)) == []
    assert told.form is Form.OPAQUE
    assert "an answer passes unread" in caplog.text


def test_a_document_is_kept_without_its_coding() -> None:
    told = reader(content_encoding="gzip")
    list(told.events_in(gzip.compress(b'{"error": {}}')))
    assert (told.form, told.document) == (Form.DOCUMENT, b'{"error": {}}')
