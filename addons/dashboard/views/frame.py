"""What is around every view: the head, the way to the others, a word about what was just done. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from addons.dashboard.views.html import Child, Html, joined, tag

VIEWS: Final[Mapping[str, str]] = {
    "accounts": "Accounts",
    "turns": "Live turns",
    "timeline": "Timeline",
    "usage": "Usage",
    "decisions": "Decisions",
    "findings": "Findings",
}
"""The views by their names in addresses; the first one is at `/`."""
OWNERS: Final = frozenset({"accounts", "timeline", "findings"})
"""Those for the owner only: they are about accounts and this machine, not about who asks."""
LIVE: Final = frozenset({"accounts", "turns", "timeline", "decisions"})
"""Those that change by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNotice:
    """A sentence about what was just done. `undo` takes it back, "" where nothing can."""

    text: str
    undo: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What the frame has to know. `person` is "" for the owner, `query` what the view was asked for."""

    view: str
    person: str
    csrf: str
    proxy: str
    query: Mapping[str, str]
    notice: PageNotice | None = None

    @property
    def feed(self) -> str:
        """Where news of the view come from; "" for one that stays as it is."""
        if self.view not in LIVE:
            return ""
        return f"/events?{urlencode({'view': self.view, **self.query})}"


def views_for(person: str) -> dict[str, str]:
    """The views that somebody may see."""
    return {name: title for name, title in VIEWS.items() if not person or name not in OWNERS}


def path_of(view: str) -> str:
    return "/" if view == "accounts" else f"/{view}"


def page(frame: Frame, part: Html) -> Html:
    """A whole page with this view in it."""
    title = VIEWS.get(frame.view, "Account")
    nav = tag(
        "nav",
        [
            tag("a", name, href=path_of(view), aria_current="page" if view == frame.view else None)
            for view, name in views_for(frame.person).items()
        ],
        aria_label="Views",
    )
    leave = tag(
        "form",
        hidden("csrf", frame.csrf),
        tag("span", frame.person or "owner", class_="who"),
        tag("button", "Leave", class_="quiet"),
        method="post",
        action="/leave",
        class_="leave",
    )
    brand = tag(
        "a", mark(), tag("span", "codex-rotate"), href=path_of(next(iter(views_for(frame.person)))), class_="brand"
    )
    at = tag("span", frame.proxy, class_="at", title="Where clients find the proxy")
    main = tag(
        "main",
        tag("h1", title),
        notice_box(frame.notice, frame.csrf),
        tag("form", hidden("csrf", frame.csrf), method="post", action="/act", id="act", data_enhance=True),
        tag("div", part, id="live", data_feed=frame.feed or None),
        id="main",
        tabindex="-1",
    )
    body = (
        tag("a", "Skip to the content", href="#main", class_="skip"),
        tag("header", brand, nav, tag("div", at, leave, class_="aside")),
        tag("p", id="connection", role="status", hidden=True),
        main,
    )
    return document(f"{title} · codex-rotate", body)


def document(title: str, *body: Child) -> Html:
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href="/static/page.css"),
        tag("script", src="/static/page.js", defer=True),
    )
    return Html(f"<!doctype html>\n{tag('html', head, tag('body', *body), lang='en')}\n")


def hidden(name: str, value: str) -> Html:
    return tag("input", type="hidden", name=name, value=value)


def notice_box(notice: PageNotice | None, csrf: str) -> Html:
    """The word about what was just done, with what takes it back."""
    if notice is None:
        return tag("div", id="notice", role="status")
    undo = None
    if notice.undo:
        undo = tag(
            "form",
            hidden("csrf", csrf),
            tag("button", "Undo", name="do", value=f"undo:{notice.undo}"),
            method="post",
            action="/act",
            data_enhance=True,
        )
    box = tag("div", tag("p", notice.text), undo, class_="notice bad" if notice.bad else "notice")
    return tag("div", box, id="notice", role="status")


def entrance(*, wrong: bool, secure: str = "") -> Html:
    """The page of somebody who was not let in yet."""
    told = "That opens nothing: it is wrong, was used already, or is over." if wrong else ""
    form = tag(
        "form",
        tag("label", "Token or key", for_="key"),
        tag("input", type="password", id="key", name="key", autocomplete="off", required=True, autofocus=True),
        tag("button", "Enter", class_="strong"),
        tag("p", told, class_="wrong", role="alert") if told else None,
        method="post",
        action="/enter",
    )
    words = (
        tag("h1", "Who is it?"),
        tag(
            "p",
            "The owner of this proxy runs ",
            tag("code", "codex-rotate open"),
            " on its machine. Others show the key with which they use the proxy, and see what is theirs.",
        ),
        form,
        tag("p", secure, class_="faint") if secure else None,
    )
    return document("codex-rotate", tag("main", mark(), *words, class_="entrance", id="main"))


def message(title: str, text: str) -> Html:
    """A page that says one thing."""
    words = (tag("h1", title), tag("p", text), tag("p", tag("a", "Back", href="/")))
    return document(f"{title} · codex-rotate", tag("main", mark(), *words, class_="entrance", id="main"))


def again(path: str) -> Html:
    """A page that asks once more for itself: a browser that comes from elsewhere does not show its cookie at once."""
    head = tag("head", tag("meta", charset="utf-8"), tag("meta", http_equiv="refresh", content=f"0;url={path}"))
    return Html(f"<!doctype html>\n{tag('html', head, tag('body', tag('a', 'Go on', href=path)), lang='en')}\n")


def mark() -> Html:
    """Our sign: one way that goes on as another."""
    return tag(
        "svg",
        tag("path", d="M4 12a8 8 0 0 1 13.7-5.6", class_="a"),
        tag("path", d="M20 12a8 8 0 0 1-13.7 5.6", class_="b"),
        tag("path", d="M18.4 2.6v4.2h-4.2", class_="a"),
        tag("path", d="M5.6 21.4v-4.2h4.2", class_="b"),
        viewBox="0 0 24 24",
        class_="mark",
        aria_hidden="true",
    )


def chip(text: str, kind: str = "") -> Html:
    return tag("span", text, class_=f"chip {kind}".strip())


def facts(pairs: Mapping[str, Child]) -> Html:
    """Names with values beside each other, where there is one."""
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs.items() if value not in (None, "")]
    return tag("dl", rows, class_="facts")


def table(columns: Mapping[str, str], rows: Child, *, label: str, kind: str = "") -> Html:
    """`columns` are names with classes."""
    head = tag("tr", [tag("th", name, scope="col", class_=each or None) for name, each in columns.items()])
    inner = tag("table", tag("thead", head), tag("tbody", rows), class_=f"table {kind}".strip())
    return tag("div", inner, class_="scroll", role="region", aria_label=label, tabindex="0")


def empty(text: str) -> Html:
    return tag("p", text, class_="empty")


def section(title: str, *children: Child, id_: str = "") -> Html:
    return tag("section", tag("h2", title), joined(children), id=id_ or None)
