"""What is around every view."""

from addons.dashboard.views.frame import LIVE, VIEWS, Frame, PageNotice, again, entrance, page, views_for
from addons.dashboard.views.html import Html


def framed(view: str = "accounts", person: str = "", notice: PageNotice | None = None, **query: str) -> str:
    held = Frame(view=view, person=person, csrf="a-csrf", proxy="127.0.0.1:8118", query=query, notice=notice)
    return page(held, Html("<p>part</p>"))


def test_the_view_that_is_shown_is_marked_and_hears_of_news() -> None:
    for view in VIEWS:
        text = framed(view)
        assert text.count('aria-current="page"') == 1
        assert (f"/events?view={view}" in text) is (view in LIVE)
    assert 'data-feed="/events?view=accounts&amp;q=a+b"' in framed(q="a b")


def test_people_have_no_way_to_what_is_not_theirs() -> None:
    assert set(views_for("kim")) == {"turns", "usage", "decisions"}
    text = framed("turns", "kim")
    assert "kim" in text
    assert "/timeline" not in text


def test_what_was_done_can_be_taken_back_where_that_is_possible() -> None:
    assert 'value="undo:abc"' in framed(notice=PageNotice(text="done", undo="abc"))
    bad = framed(notice=PageNotice(text="It <failed>.", bad=True))
    assert "It &lt;failed&gt;." in bad
    assert "undo" not in bad


def test_who_is_not_let_in_is_told_how() -> None:
    assert "codex-rotate open" in entrance(wrong=False)
    assert "opens nothing" in entrance(wrong=True)
    assert "opens nothing" not in entrance(wrong=False)


def test_a_page_that_asks_for_itself_again() -> None:
    assert 'content="0;url=/usage?a=&quot;"' in again('/usage?a="')
