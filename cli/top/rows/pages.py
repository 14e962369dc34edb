"""Pages of text: the keys, and whom the pool would choose with the reasons. Pure."""

from typing import Final

from accounts.choice.selection import Strategy
from accounts.views.choice import ChoiceView
from accounts.views.choice_words import standing_words
from cli.top.keys import KEYS, MAIN, Key, View
from cli.top.lines import Cell, Line, Pen, Tone
from cli.ui.choices import used, verdict
from cli.ui.lines import plain

GROUP_ROOM: Final = 13
KEYS_ROOM: Final = 9
GROUPS: Final = ("Accounts", "Rows", "Everywhere")
MOST_SHOWN: Final = 100
ONLY_STORED: Final = "A running proxy also counts the requests that are in flight."


def keys_page(pen: Pen) -> list[Line]:
    """Every key, by what it is about."""
    lines, heading = list[Line](), ""
    for each in sorted((each for each in KEYS if each.about), key=lambda each: list(GROUPS).index(_group(each))):
        shown = "" if heading == _group(each) else _group(each)
        heading = _group(each)
        cells = [pen.cell(f" {shown}", GROUP_ROOM, Tone.STRONG), pen.cell(each.shown, KEYS_ROOM, Tone.ACCENT)]
        lines.append(pen.fitted([*cells, Cell(each.about)]))
    return lines


def _group(key: Key) -> str:
    if list(key.views) == [View.ACCOUNTS]:
        return "Accounts"
    return "Everywhere" if {*MAIN} <= {*key.views} else "Rows"


def choice_page(view: ChoiceView, pen: Pen) -> list[Line]:
    """Whom the next request would get, then every account in that order with the reason for its place."""
    lines = [*pen.paragraph(verdict(view, pen.now), Tone.STRONG, 1, 1), pen.fitted([])]
    before = None
    for number, each in enumerate(view.found.assessments[:MOST_SHOWN], 1):
        reason = plain(standing_words(each, before, view.policy, pen.now))
        role = Tone.DIM if each.barred is not None else Tone.GOOD if number == 1 else Tone.TEXT
        place = str(number) if each.rank else "-"
        score = f", score {each.score:.2f}" if each.rank and view.policy.strategy is Strategy.BALANCED else ""
        head = f"{place:>4}  {plain(each.candidate.account.label)}"
        windows = used(each, pen.now)
        lines.append(pen.fitted([Cell(head, Tone.STRONG), Cell(f"  {windows}{score}" if windows else "", Tone.DIM)]))
        lines += pen.paragraph(reason, role, 6, 6)
        before = each
    if (more := len(view.found.assessments) - MOST_SHOWN) > 0:
        lines += pen.paragraph(f"{more} more come after these; `codex-rotate why` has all.", Tone.DIM, 1, 1)
    if view.serves:
        lines += [pen.fitted([]), *pen.paragraph(ONLY_STORED, Tone.DIM, 1, 1)]
    return lines
