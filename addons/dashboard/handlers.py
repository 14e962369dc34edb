"""What the page answers. Whom it is for, and from where it was asked, is checked before anything is read."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tornado import web
from tornado.iostream import StreamClosedError

from accounts.errors import StoreError, UsageError
from accounts.owner.reversible import Change
from addons.dashboard import actions, exposition
from addons.dashboard.access import Session
from addons.dashboard.contents import Subject, trouble
from addons.dashboard.health import answer
from addons.dashboard.server import PageServer
from addons.dashboard.views import frame
from addons.dashboard.views.frame import Frame, PageNotice
from addons.dashboard.views.html import Html
from config import clock
from config.errors import RotateError

logger = logging.getLogger(__name__)

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
    "Server": "codex-rotate",
}
STATIC: Final[Mapping[str, str]] = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
FOLDER: Final = Path(__file__).with_name("static")
ASKED: Final[Mapping[str, tuple[str, ...]]] = {
    "accounts": ("q", "page"),
    "timeline": ("hours",),
    "usage": ("span", "by"),
    "decisions": ("thread", "page"),
}
"""What each view can be asked for."""
LONGEST: Final = 200


class PageHandler(web.RequestHandler):
    """What all answers have in common. Nothing of a request's address is ever logged: a token may be in it."""

    def initialize(self, page: PageServer) -> None:
        self.page = page
        self.who: Session | None = None

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Refuse what was not asked of this page (DNS rebinding), or by a page of somebody else."""
        host = self.request.headers.get("Host", "")
        origin = self.request.headers.get("Origin")
        if not self.page.address.is_own(host):
            raise web.HTTPError(421)
        if origin is not None and origin != f"http://{host}":
            raise web.HTTPError(403)
        if not self.page.may_come(self.request.remote_ip or ""):
            raise web.HTTPError(403)
        self.who = self.page.access.session(self.get_cookie(self.page.cookie, "") or "", clock.now())

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        if not isinstance(value, web.HTTPError | StreamClosedError):
            logger.error("codex-rotate: an answer of the page failed", exc_info=(kind, value, trace))

    def write_error(self, status_code: int, **_: Any) -> None:
        told = {
            403: ("Not allowed", "Only this page itself may ask for that."),
            404: ("Not here", "There is no such page."),
            421: ("Not this address", "This proxy's page is not to be reached by that name."),
        }
        self.finish(str(frame.message(*told.get(status_code, ("That failed", "Try it again; the log says why.")))))

    def owner(self) -> Session:
        if self.who is None or not self.who.is_owner:
            raise web.HTTPError(403)
        return self.who

    def asked(self, view: str) -> dict[str, str]:
        """What the view is asked for, of what it can be."""
        found = {name: self.get_query_argument(name, "")[:LONGEST] for name in ASKED.get(view, ())}
        return {name: value for name, value in found.items() if value}


class Shown(PageHandler):
    """An answer that is a page: who shows no session yet is asked who it is."""

    def prepare(self) -> None:
        super().prepare()
        shown = self.get_query_argument("token", "")
        if shown and self.request.method == "GET":
            self._enter(shown)
        elif self.who is None:
            if self.request.headers.get("Sec-Fetch-Site") == "cross-site":
                self.finish(str(frame.again(own_path(self.request.uri or "/"))))  # its cookie comes with the next one
            else:
                self.set_status(401)
                self.finish(str(frame.entrance(wrong=False)))

    def _enter(self, shown: str) -> None:
        """The token is exchanged for a cookie, and leaves the address."""
        session = self.page.enter(shown, self.request)
        self.set_header("Referrer-Policy", "no-referrer")
        if session is None:
            self.set_status(401)
            self.finish(str(frame.entrance(wrong=True)))
            return
        self.page.give(self, session)
        more = [(name, value) for name, value in parse_qsl(self.request.query) if name != "token"]
        self.redirect(own_path(self.request.path) + (f"?{urlencode(more)}" if more else ""), status=303)

    def show(self, view: str, part: Html, query: Mapping[str, str] | None = None) -> None:
        assert self.who is not None
        held = Frame(
            view=view,
            person=self.who.person,
            csrf=self.page.access.csrf(self.who),
            proxy=self.page.proxy(),
            query=query or {},
            notice=self.page.notices.taken(self.get_query_argument("done", "")),
        )
        self.finish(str(frame.page(held, part)))


class ViewHandler(Shown):
    """A view as a whole page."""

    async def get(self, name: str = "") -> None:
        assert self.who is not None
        allowed = frame.views_for(self.who.person)
        view = name or next(iter(allowed))
        if view not in allowed:
            raise web.HTTPError(403)
        query = self.asked(view)
        self.show(view, await self.page.contents.shown(Subject(view, self.who.person, tuple(query.items()))), query)


class AccountPage(Shown):
    """One account."""

    async def get(self, handle: str) -> None:
        session = self.owner()
        try:
            part = await self.page.contents.account(handle, self.page.access.csrf(session))
        except StoreError as e:
            part = trouble(e)
        if part is None:
            raise web.HTTPError(404)
        self.show("account", part)


class ChangeHandler(PageHandler):
    """A change."""

    async def post(self) -> None:
        session = self.owner()
        if not self.page.access.may_change(session, self.get_body_argument("csrf", "")):
            raise web.HTTPError(403)
        what, _, about = self.get_body_argument("do", "").partition(":")
        value = self.get_body_argument("value", "")[:LONGEST]
        try:
            change = await self._change(what, about, value)
            notice = PageNotice(text=change.words, undo=self.page.changes.kept(change))
        except RotateError as e:
            notice = PageNotice(text=str(e), bad=True)
        self.page.changed()
        back = own_path(self.request.headers.get("Referer", "/"))
        path, _, query = back.partition("?")
        asked = [(name, value) for name, value in parse_qsl(query) if name != "done"]
        self.redirect(f"{path}?{urlencode([*asked, ('done', self.page.notices.kept(notice))])}", status=303)

    async def _change(self, what: str, about: str, value: str) -> Change:
        """Raises RotateError."""
        now = clock.now()
        if what == "undo":
            undo = self.page.changes.taken(about)
            return await self.page.contents.reader.pool(lambda store: undo(store, now))
        if what not in set(actions.PageAction):
            raise UsageError(f"There is no change called {what[:20]!r}. Go back and try again.")
        action = actions.PageAction(what)
        return await self.page.contents.reader.pool(lambda store: actions.act(store, action, about, value, now))


class Enter(PageHandler):
    """Somebody says who it is."""

    def get(self) -> None:
        self.redirect("/", status=303)

    def post(self) -> None:
        session = self.page.enter(self.get_body_argument("key", ""), self.request)
        if session is None:
            self.set_status(401)
            self.finish(str(frame.entrance(wrong=True)))
            return
        self.page.give(self, session)
        self.redirect("/", status=303)


class Leave(PageHandler):
    """The session ends in this browser."""

    def post(self) -> None:
        if self.who is None or not self.page.access.may_change(self.who, self.get_body_argument("csrf", "")):
            raise web.HTTPError(403)
        self.clear_cookie(self.page.cookie)
        self.redirect("/", status=303)


class NewsHandler(PageHandler):
    """News of a view, as long as the browser wants them."""

    async def get(self) -> None:
        if self.who is None:
            raise web.HTTPError(401)
        view = self.get_query_argument("view", "")
        if view not in frame.LIVE or view not in frame.views_for(self.who.person):
            raise web.HTTPError(403)
        if self.page.feed.is_full:
            raise web.HTTPError(503)
        self.over = asyncio.Event()
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("X-Accel-Buffering", "no")
        self.write("retry: 2000\n\n")
        await self.flush()
        subject = Subject(view, self.who.person, tuple(self.asked(view).items()))
        listener = self.page.feed.join(subject, self)
        try:
            await self.over.wait()
        finally:
            self.page.feed.leave(subject, listener)

    async def send(self, said: bytes) -> None:
        self.write(said)
        await self.flush()

    def allowed(self) -> bool:
        return self.who is not None and self.page.access.session(self.who.cookie, clock.now()) is not None

    def browser(self) -> str:
        return self.who.cookie if self.who is not None else ""

    def end(self) -> None:
        self.over.set()

    def on_connection_close(self) -> None:
        if hasattr(self, "over"):
            self.over.set()


class Static(PageHandler):
    """What the page is made of; the same for everybody."""

    def get(self, name: str) -> None:
        if name not in STATIC:
            raise web.HTTPError(404)
        self.set_header("Content-Type", STATIC[name])
        self.set_header("Cache-Control", "no-cache")
        self.finish(self.page.static(FOLDER / name))


class Numbers(PageHandler):
    """What is counted, for Prometheus: it shows the token as its own kind of login."""

    async def get(self) -> None:
        kind, _, shown = self.request.headers.get("Authorization", "").partition(" ")
        allowed = self.who is not None and self.who.is_owner
        if not allowed and not (kind.casefold() == "bearer" and self.page.access.is_token(shown.strip())):
            raise web.HTTPError(401)
        if self.page.machines is None:
            raise web.HTTPError(404)
        self.set_header("Content-Type", exposition.CONTENT_TYPE)
        snapshot = self.page.machines.metrics.snapshot()
        self.finish(await self.page.contents.reader.aside(lambda: exposition.text_of(snapshot)))


class Healthy(PageHandler):
    """Whether it is alive, and ready. Nothing else is said, so nobody has to say who they are."""

    def get(self, name: str) -> None:
        machines = self.page.machines
        well = machines is not None and (machines.health.alive() if name == "healthz" else machines.health.ready())
        status, said = answer(well)
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(said)


class Missing(Shown):
    def get(self) -> None:
        raise web.HTTPError(404)


def own_path(address: str) -> str:
    """The path and the query of an address, which lead nowhere else than here."""
    try:
        found = urlsplit(address)
    except ValueError:
        return "/"
    path = "/" + quote(found.path.lstrip("/\\"), safe="/-_.~")
    return f"{path}?{found.query}" if found.query else path


def application(page: PageServer) -> web.Application:
    """Everything that the page answers."""
    known: Callable[..., Awaitable[None]] | dict[str, Any] = {"page": page}
    names = "|".join(name for name in frame.VIEWS if name != "accounts")
    routes = [
        (r"/()", ViewHandler, known),
        (rf"/({names}|accounts)", ViewHandler, known),
        (r"/account/(account-[0-9a-f]+)", AccountPage, known),
        (r"/act", ChangeHandler, known),
        (r"/enter", Enter, known),
        (r"/leave", Leave, known),
        (r"/events", NewsHandler, known),
        (r"/static/([a-z.]+)", Static, known),
        (r"/metrics", Numbers, known),
        (r"/(healthz|readyz)", Healthy, known),
    ]
    return web.Application(
        routes,  # type: ignore[arg-type]
        default_handler_class=Missing,
        default_handler_args={"page": page},
        log_function=lambda _: None,  # an address may have a token in it
        compress_response=False,
    )
