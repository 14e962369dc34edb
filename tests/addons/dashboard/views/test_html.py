"""Whatever is not HTML already is escaped."""

from addons.dashboard.views.html import Html, joined, tag


def test_texts_and_attributes_are_escaped() -> None:
    assert (
        tag("p", "<b>&\"'", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;&quot;&#x27;</p>'
    )


def test_what_is_html_stays() -> None:
    assert tag("p", tag("b", 1), [Html("<i></i>"), None, 2.5]) == "<p><b>1</b><i></i>2.5</p>"
    assert joined(["a<", Html("<br>")]) == "a&lt;<br>"


def test_attributes_that_are_not_there_and_those_without_a_value() -> None:
    assert tag("input", required=True, hidden=False, id=None, class_="a", data_key=3) == (
        '<input required class="a" data-key="3">'
    )
    assert tag("input", name="do", aria_label="x") == '<input name="do" aria-label="x">'


def test_what_no_screen_can_show_is_a_space() -> None:
    assert tag("p", "a\x1b[1m\u202eb\n") == "<p>a [1m b\n</p>"
