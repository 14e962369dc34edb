"""Nothing that is masked leaves: neither played again nor edited, and not at the very last either."""

from collections.abc import Callable

import pytest
from mitmproxy import http

from addons.attempts.protocol import Send
from addons.redaction.flows import MARK, FlowRedactor, NoRedaction
from addons.redaction.replay_check import MARKS, MarkLeft, drop_masked, left_in, refuse_marked

MARKED = MARK.decode()
OWN = {
    "authorization": "Bearer nobody-may-see",
    "chatgpt-account-id": "acct-own",
    "x-note": "token=sk-1234567890abcdef",
}


def asked(path: str = "/a", content: bytes = b"", **headers: str) -> http.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.Request.make("POST", f"https://chatgpt.com{path}", content, named)


def shown(request: http.Request, *, watched: bool = True) -> FlowRedactor:
    """The flow shows the request from now on."""
    made = FlowRedactor(watched=watched)
    made.request_head(request)
    made.request_body(request)
    return made


type Edit = Callable[[http.Request], object]


@pytest.mark.parametrize("watched", [True, False])
def test_a_request_that_nobody_has_touched_is_sent_as_it_came(watched: bool) -> None:
    request = asked("/a?key=sk-1234567890abcdef", b"password=abcdefgh", **OWN)
    made = shown(request, watched=watched)
    assert left_in(request, made, again=False, pooled=False) == ""
    assert made.wire(request).headers["authorization"] == OWN["authorization"]


def test_a_client_may_say_in_its_text_whatever_it_likes() -> None:
    """The mark, too: somebody works on this programme."""
    request = asked(content=f"it prints {MARKED} and [token]".encode(), **OWN)
    assert left_in(request, shown(request), again=False, pooled=True) == ""


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda request: request.headers.__setitem__("x-copied", f"Bearer {MARKED}"), "the header x-copied"),
        (lambda request: request.headers.add("authorization", MARKED), "the header authorization"),
        (lambda request: request.headers.__setitem__("x-note", "token=[secret]; more"), "the header x-note"),
        (lambda request: setattr(request, "path", f"{request.path}&more=1"), "its path"),
    ],
)
def test_what_was_edited_on_its_way_must_not_take_a_mark_along(edit: Edit, what: str) -> None:
    request = asked("/a?key=sk-1234567890abcdef", **OWN)
    made = shown(request)
    edit(request)
    assert left_in(request, made, again=False, pooled=False) == what


def test_an_edit_that_takes_no_mark_along_is_sent() -> None:
    request = asked(**OWN)
    made = shown(request)
    request.headers["accept"] = "*/*"
    assert left_in(request, made, again=False, pooled=False) == ""


@pytest.mark.parametrize("mark", [each.decode() for each in MARKS])
def test_a_request_that_is_played_again_has_no_secrets_behind_its_marks(mark: str) -> None:
    for request, what in (
        (asked(x=f"a {mark}"), "the header x"),
        (asked(f"/a?b={mark}"), "its path"),
        (asked(content=f"password={mark}".encode()), "its body"),
        (asked(content=f"password={mark}".encode(), content_encoding="gzip"), "its body"),
    ):
        assert left_in(request, shown(request), again=True, pooled=False) == what
        assert left_in(request, NoRedaction(), again=True, pooled=False) == what


def test_in_the_words_of_a_turn_only_the_mark_of_a_header_is_none() -> None:
    masked, marked = asked(content=b"my key is [token]"), asked(content=f"it is {MARKED}".encode())
    assert left_in(masked, shown(masked), again=True, pooled=True) == ""
    assert left_in(marked, shown(marked), again=True, pooled=True) == "its body"


def test_what_the_pool_replaces_may_be_masked() -> None:
    request = asked(authorization=MARKED, chatgpt_account_id=MARKED)
    assert left_in(request, shown(request), again=True, pooled=True) == ""
    assert left_in(request, shown(request), again=True, pooled=False) == "the header authorization"


def test_what_cannot_be_put_back_is_left_out_of_a_turn() -> None:
    request = asked(authorization=MARKED, cookie=MARKED, x_note="token=[secret]", accept="*/*")
    drop_masked(request.headers)
    assert set(request.headers) == {"authorization", "accept", "content-length"}


@pytest.mark.parametrize("request_", [asked(x=f"a {MARKED}"), asked(f"/a?b={MARKED}")], ids=["header", "path"])
def test_at_the_very_last_no_head_with_a_mark_can_be_sent(request_: http.Request) -> None:
    request_.data.path = request_.data.path.replace(b"%20", b" ")
    with pytest.raises(MarkLeft):
        refuse_marked(request_)
    with pytest.raises(MarkLeft):
        Send(request_, key="")


def test_nor_trailers() -> None:
    request = asked()
    request.trailers = http.Headers(((b"x", MARK),))
    with pytest.raises(MarkLeft):
        Send(request, key="")
