"""What each action of the table of keys does."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from accounts.ledger.queries import turns_of
from accounts.model import Account
from accounts.owner import reversible
from accounts.views.choice import ChoiceView, stored_choice
from accounts.views.timeline import HOURS, timeline
from cli.top.away import away
from cli.top.keys import MAIN, View
from cli.top.lines import Line, Pen, Tone
from cli.top.rows import account_details, history, options, pages, turns
from cli.top.rows.account_parts import ShownLoad
from cli.top.typing_line import TypingLine
from cli.top.watches.usage import GROUPINGS
from config import paths

if TYPE_CHECKING:
    from cli.top.app import TopApp

NOTHING_TO_UNDO: Final = "There is nothing to take back."
NO_ACCOUNT: Final = "No account is selected."

type Handler = Callable[["TopApp", str], None]


# --- accounts --------------------------------------------------------------------------------------------------------


def _selected(app: "TopApp") -> Account | None:
    found = app.rows.selected
    rows = app.state.facts.pool.rows
    account = next((row.account for row in rows if found is not None and row.account.key == found.key), None)
    if account is None:
        app.say(NO_ACCOUNT)
    return account


def _with_account(work: Callable[[Account], reversible.Work]) -> Handler:
    def handle(app: "TopApp", _: str) -> None:
        account = _selected(app)
        if account is not None:
            app.do(work(account))

    return handle


def _typed(about: str, work: Callable[[Account, str], reversible.Work], begin: Callable[[Account], str]) -> Handler:
    def handle(app: "TopApp", _: str) -> None:
        from cli.top.app import Question

        account = _selected(app)
        if account is not None:
            text = f"{about.format(account.label)} Enter does it, Escape does not."
            app.ask(
                Question(
                    text=text,
                    answer=lambda typed: app.do(work(account, typed)),
                    typing=TypingLine.beginning(begin(account)),
                )
            )

    return handle


def _use_number(app: "TopApp", key: str) -> None:
    rows = app.state.facts.pool.rows
    account = next((row.account for row in rows if row.number == int(key)), None)
    if account is None:
        app.say(f"There is no account {key}.")
    else:
        app.do(reversible.use(account))


def _undo(app: "TopApp", _: str) -> None:
    if app.undos:
        app.do(app.undos.pop(), undoing=True)
    else:
        app.say(NOTHING_TO_UNDO)


# --- views -----------------------------------------------------------------------------------------------------------


def _show(view: View) -> Handler:
    def handle(app: "TopApp", _: str) -> None:
        _go(app, view)

    return handle


def _go(app: "TopApp", view: View) -> None:
    app.state.show(view)
    app.draw(anew=True)
    if view is View.USAGE:
        app.beat()


def _next(by: int) -> Handler:
    def handle(app: "TopApp", _: str) -> None:
        _go(app, MAIN[(MAIN.index(app.state.view) + by) % len(MAIN)])

    return handle


def _page(app: "TopApp", view: View, draw: Callable[[Pen], list[Line]]) -> None:
    app.state.show(view, draw)
    app.draw(anew=True)


def _help(app: "TopApp", _: str) -> None:
    _page(app, View.HELP, pages.keys_page)


def _back(app: "TopApp", _: str) -> None:
    kept = app.state.before is not None
    app.state.back()
    if kept:
        app.dress()
    app.draw(anew=app.state.view in MAIN)


def _search(app: "TopApp", _: str) -> None:
    from cli.top.app import Question

    def found(text: str) -> None:
        app.state.search = text
        app.draw(anew=True)

    app.ask(Question(text="Search:", answer=found, typing=TypingLine.beginning(app.state.search), live=True))


def _detail(app: "TopApp", _: str) -> None:
    app.state.wanted = replace(app.state.wanted, detailed=not app.state.wanted.detailed)
    app.draw()


def _rotations(app: "TopApp", _: str) -> None:
    app.state.only_rotations = not app.state.only_rotations
    app.draw(anew=True)


def _by(app: "TopApp", _: str) -> None:
    app.state.by = GROUPINGS[(GROUPINGS.index(app.state.by) + 1) % len(GROUPINGS)]
    app.beat()


# --- pages -----------------------------------------------------------------------------------------------------------


def _open(app: "TopApp", _: str) -> None:
    found = app.rows.selected
    if found is None:
        return
    match app.state.view:
        case View.ACCOUNTS:
            _page(app, View.DETAILS, lambda pen: _account_page(app, found.key, pen))
        case View.TURNS:
            _page(app, View.DETAILS, lambda pen: _turn_page(app, found.key, pen))
        case _:
            each = next((each for each in history.told(app.state.facts.pool.events) if each.key == found.key), None)
            if each is not None:
                app.begin("details", lambda: _tell_history(app, each))


def _account_page(app: "TopApp", key: str, pen: Pen) -> list[Line]:
    facts = app.state.facts
    row = next((row for row in facts.pool.rows if row.account.key == key), None)
    if row is None:
        return pen.paragraph("This account is not in the pool any more.", Tone.DIM, 1, 1)
    load = ShownLoad(facts.proxies.in_flight[row.account.label], facts.pool.homes.get(key, 0))
    lanes = timeline(facts.pool.events, pen.now - HOURS * 3600, pen.now, {key: row.account.label}).accounts
    left = next((lane.rotations for lane in lanes if lane.account == row.account.label), ())
    return account_details.page(row, load, facts.proxies.turns, left, pen)


def _turn_page(app: "TopApp", key: str, pen: Pen) -> list[Line]:
    turn = next((each for each in app.state.facts.proxies.turns if each.id == key), None)
    if turn is None:
        return pen.paragraph("This turn is over. The history has what became of it.", Tone.DIM, 1, 1)
    return turns.page(turn, pen)


async def _tell_history(app: "TopApp", each: history.ToldEvent) -> None:
    ends = [(each.event.thread, each.event.at)] if each.decision is not None else []
    turn = next(iter(await away(lambda: turns_of(paths.usage_file(), ends))), None)
    _page(app, View.DETAILS, lambda pen: history.page(each, turn, app.state.facts.pool.labels, pen))


def _why(app: "TopApp", _: str) -> None:
    found, thread = app.rows.selected, ""
    if found is not None and app.state.view is View.TURNS:
        thread = next((each.thread for each in app.state.facts.proxies.turns if each.id == found.key), "")
    elif found is not None and app.state.view is View.HISTORY:
        events = app.state.facts.pool.events
        thread = next((each.event.thread for each in history.told(events) if each.key == found.key), "")
    app.begin("why", lambda: _tell_choice(app, thread))


async def _tell_choice(app: "TopApp", thread: str) -> None:
    from config.errors import RotateError

    try:
        view = await away(lambda: _choice(app, thread))
    except RotateError as e:
        app.say(str(e), Tone.BAD)
    else:
        _page(app, View.CHOICE, lambda pen: pages.choice_page(view, pen))


def _choice(app: "TopApp", thread: str) -> ChoiceView:
    from config import settings  # late: msgspec

    return stored_choice(app.sources.store, settings.load(), thread, app.sources.now())


# --- options ---------------------------------------------------------------------------------------------------------


def _options(app: "TopApp", _: str) -> None:
    app.state.before = app.state.wanted
    app.state.show(View.OPTIONS)
    app.draw(anew=True)


def _change(by: int) -> Handler:
    def handle(app: "TopApp", _: str) -> None:
        found = app.rows.selected
        if found is not None:
            app.state.wanted = options.changed(app.state.wanted, found.key, by)
            app.dress()

    return handle


def _keep(app: "TopApp", _: str) -> None:
    app.state.before = None
    app.state.back()
    app.draw(anew=True)


HANDLERS: Final[Mapping[str, Handler]] = {
    "use_number": _use_number,
    "use_any": lambda app, _: app.do(reversible.use_any()),
    "use": _with_account(reversible.use),
    "pause": _with_account(reversible.pause_or_resume),
    "clear": _with_account(reversible.clear),
    "label": _typed("Another name for {}.", reversible.relabel, lambda account: account.label),
    "tag": _typed("Tags of {}: +team adds one, -team takes it away.", reversible.retag, lambda _: "+"),
    "raise": _with_account(lambda account: reversible.raise_priority(account, 1)),
    "lower": _with_account(lambda account: reversible.raise_priority(account, -1)),
    "reserve": _typed(
        "Percent of each window of {} that is kept.", reversible.reserve, lambda account: str(account.reserve_percent)
    ),
    "undo": _undo,
    "open": _open,
    "why": _why,
    "rotations": _rotations,
    "by": _by,
    "search": _search,
    "detail": _detail,
    "less": _change(-1),
    "more": _change(1),
    "keep": _keep,
    "options": _options,
    "help": _help,
    "back": _back,
    "accounts": _show(View.ACCOUNTS),
    "turns": _show(View.TURNS),
    "history": _show(View.HISTORY),
    "usage": _show(View.USAGE),
    "next": _next(1),
    "previous": _next(-1),
    "leave": lambda app, _: app.exit(True),
    "leave_unsaved": lambda app, _: app.exit(False),
    "suspend": lambda app, _: app.action_suspend_process(),
}
