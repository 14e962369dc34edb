"""The screen itself: what is learned in the background, what is drawn of it, and what somebody does.

What a key means is in handlers.py. Everything that may take a while is done away from here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Final

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType

from accounts.owner.reversible import Change, Work
from cli.top import handlers, keys
from cli.top.away import away
from cli.top.keys import View
from cli.top.lines import Pen, Tone
from cli.top.palettes import NO_COLOURS, Colours, colours
from cli.top.screen import Notice, ScreenState, key_line, notice, tabs, title
from cli.top.sources import News, Sources
from cli.top.typing_line import TypingLine
from cli.top.widgets import Board
from config.errors import RotateError

BEAT: Final = 1.0
"""Seconds between two looks."""
WAITING: Final = "The change waits for another process that writes the pool's file."
SAID_SECONDS: Final = 20.0
MOST_SAID: Final = 4
"""Lines of a message."""
BUSY: Final = "The change before this one is not written yet."
SHOWN_IN: Final[Mapping[View, frozenset[str]]] = {
    View.TURNS: frozenset({"proxies"}),
    View.HISTORY: frozenset({"pool"}),
    View.USAGE: frozenset({"usage", "ledger"}),
    View.OPTIONS: frozenset(),
    View.HELP: frozenset(),
    View.CHOICE: frozenset(),
}
"""What the rows of a view are made of, where that is not everything."""
FIRST: Final = frozenset({"tab", "shift+tab", "ctrl+c"})
"""Keys that textual would take for something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that is typed in the last line. `live`: it is heard with each letter."""

    text: str
    answer: Callable[[str], None]
    typing: TypingLine
    live: bool = False


class TopApp(App[bool]):
    """Its result is whether options are to be kept."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "codex-rotate top"
    CSS = """
    Screen, Board { background: $top-back; color: $top-text; }
    Board { height: 100%; width: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, f"press({key!r})", show=False, priority=key in FIRST) for key in keys.every_key()
    ]

    def __init__(self, sources: Sources, state: ScreenState, *, in_ascii: bool = False, plain: bool = False) -> None:
        """`plain`: without any colour."""
        self.state = state
        self.sources = sources
        self._in_ascii = in_ascii
        self._plain = plain
        self._under_way: set[str] = set()
        self.undos: list[Work] = []
        self._question: Question | None = None
        super().__init__(ansi_color=True if plain or self.looks().native else None)
        self.animation_level = "none"

    def compose(self) -> ComposeResult:
        yield Board(self.pen, self.looks, self.draw_around)

    def on_mount(self) -> None:
        self.draw(anew=True)
        self.set_interval(BEAT, self.beat)
        self.beat()

    # --- how it looks --------------------------------------------------------------------------------------------

    @property
    def rows(self) -> Board:
        return self.query_one(Board)

    def pen(self, width: int) -> Pen:
        return Pen(width=max(width, 1), now=self.sources.now(), in_ascii=self._in_ascii)

    def looks(self) -> Colours:
        wanted = self.state.wanted
        return NO_COLOURS if self._plain else colours(wanted.palette, wanted.accent)

    def get_css_variables(self) -> dict[str, str]:
        looks = self.looks()
        return {**super().get_css_variables(), "top-back": looks.back, "top-text": looks.text}

    def dress(self) -> None:
        """Other colours."""
        if not self._plain:
            self.ansi_color = self.looks().native
        self.refresh_css(animate=False)
        self.rows.forget()
        self.draw()

    def draw(self, *, anew: bool = False) -> None:
        """What is known now. `anew`: another view, so that the first row is selected."""
        self.rows.show(self.state.listing(self.pen(self.size.width)), anew=anew)
        self.draw_around()

    def draw_around(self) -> None:
        """The lines above and below the rows."""
        state, pen = self.state, self.pen(self.size.width)
        asked = self._question
        below = pen.paragraph(asked.text, Tone.ACCENT, 1, 1) if asked else notice(state, pen)[:MOST_SAID]
        last = asked.typing.line(pen) if asked else key_line(state, pen)
        self.rows.surround(lambda shown: [title(state, pen), tabs(state, shown, pen)], [*below, last])

    def say(self, text: str, role: Tone = Tone.TEXT) -> None:
        """In the last lines, for a while or until something else is said."""
        self.state.notice = Notice(text=text, role=role, until=self.sources.now() + SAID_SECONDS)
        self.draw_around()

    # --- what is learned -----------------------------------------------------------------------------------------

    def beat(self) -> None:
        """Look at everything that is not being looked at already, and draw what the clock has changed."""
        if "change" in self._under_way:
            self.say(WAITING, Tone.WARN)
        self.look("pool", self.sources.pool_news)
        self.look("proxies", self.sources.proxy_news)
        if self.state.view is View.USAGE:
            self.look("usage", partial(self.sources.usage_news, self.state.by))
        self.draw_around()

    def begin(self, name: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Do something in the background, unless the same is under way."""
        if name in self._under_way:
            return False
        self._under_way.add(name)

        async def done() -> None:
            try:
                await work()
            finally:
                self._under_way.discard(name)

        self.run_worker(done(), group=name)
        return True

    def look(self, name: str, news: Callable[[], Awaitable[News]]) -> None:
        async def learned() -> None:
            self.learn(**await news())

        self.begin(name, learned)

    def learn(self, **news: Any) -> None:
        """Draw what is new, if anything is."""
        before = self.state.facts
        if any(getattr(before, name) is not value and getattr(before, name) != value for name, value in news.items()):
            self.state.facts = replace(before, **news)
            if before.trouble and not self.state.facts.trouble:
                self.state.notice = Notice()  # of a change that was in vain
            if news.keys() & SHOWN_IN.get(self.state.view, news.keys()):
                self.draw()
            else:
                self.draw_around()

    # --- what somebody does --------------------------------------------------------------------------------------

    def action_press(self, key: str) -> None:
        if self._question is not None:  # what comes before whoever has the focus
            if key == "ctrl+c":
                self.stop_asking()
            return
        does = keys.action(key, self.state.view)
        if does:
            try:
                handlers.HANDLERS[does](self, key)
            except RotateError as e:
                self.say(str(e), Tone.BAD)

    def do(self, work: Work, *, undoing: bool = False) -> None:
        """A change, written by somebody who may have to wait for it."""
        if not self.begin("change", lambda: self._done(work, undoing=undoing)):
            self.undos += [work] if undoing else []
            self.say(BUSY, Tone.WARN)

    async def _done(self, work: Work, *, undoing: bool) -> None:
        try:
            change = await away(lambda: work(self.sources.store, self.sources.now()))
        except RotateError as e:
            if undoing:
                self.undos.append(work)
            self.say(str(e), Tone.BAD)
            return
        if change.undo is not None and not undoing:
            self.undos.append(change.undo)
        self.say(_in_words(change, undone=undoing), Tone.WARN if change.trouble else Tone.GOOD)
        self.sources.pool.forget()
        self.look("pool", self.sources.pool_news)

    # --- what somebody types -------------------------------------------------------------------------------------

    def ask(self, question: Question) -> None:
        self._question = question
        self.draw_around()

    def on_key(self, event: events.Key) -> None:
        """Before any key does what it does elsewhere."""
        asked = self._question
        if asked is None:
            return
        event.stop()
        event.prevent_default()
        if event.key == "enter":
            self._question = None
            self._answer(asked, asked.typing.text)
        elif event.key == "escape":
            self.stop_asking()
        else:
            changed = asked.typing.press(event.key, event.character)
            if changed and asked.live:
                self._answer(asked, asked.typing.text)
            self.draw_around()

    def on_paste(self, event: events.Paste) -> None:
        if self._question is not None:
            self._question.typing.insert(event.text)
            if self._question.live:
                self._answer(self._question, self._question.typing.text)
            self.draw_around()

    def stop_asking(self) -> None:
        """Nothing was answered; a search ends."""
        asked, self._question = self._question, None
        if asked is not None and asked.live:
            self._answer(asked, "")
        self.draw_around()

    def _answer(self, asked: Question, text: str) -> None:
        try:
            asked.answer(text)
        except RotateError as e:
            self.say(str(e), Tone.BAD)
        self.draw_around()


def _in_words(change: Change, *, undone: bool) -> str:
    way_back = " z takes it back." if change.undo is not None and not undone else ""
    return " ".join(filter(None, (change.said + way_back, change.trouble)))
