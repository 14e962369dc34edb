"""Answers in one piece, and the same refusal as a WebSocket message."""

import pytest

from standin.replies import Reply, error_reply, json_reply


@pytest.mark.parametrize(
    ("reply", "code", "message"),
    [
        (error_reply(429, "c", "m"), "c", "m"),
        (json_reply({"detail": "m"}, 400), None, "m"),
        (json_reply({"detail": {"code": "c"}}, 402), "c", "c"),
        (Reply(429), None, "status 429"),
        (Reply(403, (("content-type", "text/html"),), b"<html>"), None, "status 403"),
    ],
)
def test_in_band(reply: Reply, code: str | None, message: str) -> None:
    """Whatever the body, the message has a status and an error object."""
    wrapped = reply.in_band()
    assert (wrapped["type"], wrapped["status"]) == ("error", reply.status)
    assert (wrapped["error"]["code"], wrapped["error"]["message"]) == (code, message)
    assert "headers" not in wrapped


def test_in_band_headers() -> None:
    """Headers go along, but for the content type."""
    reply = json_reply({}, 429, (("retry-after", "1"),))
    assert reply.in_band()["headers"] == {"retry-after": "1"}


def test_more_may_override() -> None:
    """An error's type can be its own."""
    assert error_reply(500, None, "m", type="server_error").error()["type"] == "server_error"
