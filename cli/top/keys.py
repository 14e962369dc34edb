"""The keys of the screen: one table, from which the bindings, the help and the last line are made. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple


class View(StrEnum):
    """What the screen shows: the four views, and pages that Escape leaves."""

    ACCOUNTS = "Accounts"
    TURNS = "Turns"
    HISTORY = "History"
    USAGE = "Usage today"
    DETAILS = "Details"
    CHOICE = "Why"
    OPTIONS = "Options"
    HELP = "Help"


MAIN: Final = (View.ACCOUNTS, View.TURNS, View.HISTORY, View.USAGE)
PAGES: Final = (View.DETAILS, View.CHOICE, View.OPTIONS, View.HELP)


class Key(NamedTuple):
    """`keys` are textual's names, with commas between them; `does` is the action; `shown` how people call the keys,
    `about` what they do, and `hint` that in a word for the last line ("": not there). `views`: where it is for."""

    keys: str
    does: str
    shown: str
    about: str
    hint: str = ""
    views: Sequence[View] = ()


_LISTS: Final = (View.ACCOUNTS, View.TURNS, View.HISTORY)
_ACCOUNTS: Final = (View.ACCOUNTS,)
KEYS: Final = (
    Key("1,2,3,4,5,6,7,8,9", "use_number", "1-9", "Everybody uses the account of this number.", "use", _ACCOUNTS),
    Key("0", "use_any", "0", "The pool chooses for each thread again.", "any", _ACCOUNTS),
    Key("s", "use", "s", "Everybody uses the selected account.", "", _ACCOUNTS),
    Key("p", "pause", "p", "Pause the account, or let it serve again.", "pause", _ACCOUNTS),
    Key("c", "clear", "c", "End the rest of the account.", "clear", _ACCOUNTS),
    Key("l", "label", "l", "Give the account another name.", "label", _ACCOUNTS),
    Key("g", "tag", "g", "Add tags and take others away: +team -old.", "tags", _ACCOUNTS),
    Key("plus,equals_sign", "raise", "+ -", "New threads go to it before others, or after them.", "", _ACCOUNTS),
    Key("minus", "lower", "-", "", "", _ACCOUNTS),
    Key("r", "reserve", "r", "Keep some percent of each window for its owner.", "reserve", _ACCOUNTS),
    Key("z", "undo", "z", "Take back the last of these changes, then the one before.", "undo", _ACCOUNTS),
    Key("enter", "open", "Enter", "All that is known of the selected row.", "open", _LISTS),
    Key("w", "why", "w", "Whom a new thread would get, or this one, and why.", "why", _LISTS),
    Key("x", "detail", "x", "A line for each row, or all that is known.", "detail", (View.ACCOUNTS, View.HISTORY)),
    Key("f", "rotations", "f", "In History: only what went to another account, or all.", "rotations", (View.HISTORY,)),
    Key("b", "by", "b", "In Usage: by account, person, project or model.", "by", (View.USAGE,)),
    Key("slash", "search", "/", "Search; Enter keeps what was found, Escape shows all.", "search", MAIN),
    Key("left", "less", "Left", "", "", (View.OPTIONS,)),
    Key("right,space", "more", "Right", "", "change", (View.OPTIONS,)),
    Key("enter", "keep", "Enter", "", "keep", (View.OPTIONS,)),
    Key("o", "options", "o", "Palette, accent and rows; Escape there takes it back.", "options", MAIN),
    Key("escape", "back", "Esc", "", "back", PAGES),
    Key("a", "accounts", "a t h u", "Accounts, turns, history, usage; Tab is the next of them.", "", MAIN),
    Key("t", "turns", "t", "", "", MAIN),
    Key("h", "history", "h", "", "", MAIN),
    Key("u", "usage", "u", "", "", MAIN),
    Key("tab", "next", "Tab", "", "", MAIN),
    Key("shift+tab", "previous", "Shift-Tab", "", "", MAIN),
    Key("question_mark", "help", "?", "", "help", MAIN),
    Key("q", "leave", "q", "Leave; options are kept for the next time.", "quit", (*MAIN, *PAGES)),
    Key("Q", "leave_unsaved", "Q", "Leave without keeping options.", "", (*MAIN, *PAGES)),
    Key("ctrl+c", "leave_unsaved", "Ctrl-C", "", "", (*MAIN, *PAGES)),
    Key("ctrl+z", "suspend", "Ctrl-Z", "", "", (*MAIN, *PAGES)),
)


def action(key: str, view: View) -> str:
    """What this key does there, "" for nothing. Escape does something everywhere."""
    for each in KEYS:
        if key in each.keys.split(",") and (view in each.views or each.does == "back"):
            return each.does
    return ""


def every_key() -> list[str]:
    """Each key once, as textual calls it."""
    return list(dict.fromkeys(key for each in KEYS for key in each.keys.split(",")))


def hints(view: View) -> list[tuple[str, str]]:
    """The keys of a view that the last line names, with what they do; what every view has comes last."""
    return [(each.shown, each.hint) for each in KEYS if each.hint and view in each.views]
