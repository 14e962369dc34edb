"""What today took, as rows of the screen. Pure."""

from typing import Final

from accounts.views.usage import UsageSum, UsageView
from cli.top.facts import ShownFacts
from cli.top.items import Item, Listing
from cli.top.lines import Cell, Line, Pen, Tone, apart
from cli.ui.bars import bar
from cli.ui.ledger import dollars, group_name, percent
from config.numbers import short

NOTHING: Final = "The ledger has no turns of today. A proxy writes them down as they end."
READING: Final = "The ledger is being read."
NUMBERS: Final = (("turns", 5), ("input", 6), ("cached", 6), ("output", 6), ("cold", 5), ("refused", 7))
PRICE: Final = 9
LEAST_NAME: Final = 12
MOST_NAME: Final = 36
MOST_BAR: Final = 24


def listing(facts: ShownFacts) -> Listing:
    """The groups that took most first, and all of them together at the end."""
    view = facts.usage
    if view is None:
        return Listing(items=(), empty=facts.ledger or READING)
    most = max((each.tokens.total for each in view.groups), default=0)
    items = [_item(view, each, most) for each in view.groups]
    if len(items) > 1:
        items.append(_total(view))
    return Listing(items=tuple(items), head=lambda pen: _head(view, pen), empty=NOTHING)


def _shape(view: UsageView, width: int) -> tuple[int, int, int]:
    """Room for the name, the price and the bar; 0 leaves one out."""
    left = width - sum(room + 1 for _, room in NUMBERS)
    price = PRICE if view.sources is not None and left - PRICE - 1 >= LEAST_NAME else 0
    left -= price + 1 if price else 0
    wanted = max((1 + len(group_name(view.query.by, each)) for each in view.groups), default=0)
    name = max(LEAST_NAME, min(wanted, MOST_NAME, left))
    drawn = min(MOST_BAR, left - name - 1)
    return name, price, drawn if drawn >= 4 else 0


def _head(view: UsageView, pen: Pen) -> Line:
    name, price, drawn = _shape(view, pen.width)
    cells = [pen.cell(f" {view.query.by}", name, Tone.DIM)]
    cells += [pen.cell(text, room, Tone.DIM, right=True) for text, room in NUMBERS]
    cells += [pen.cell("API price", price, Tone.DIM, right=True)] if price else []
    return pen.fitted(apart([*cells, pen.cell("", drawn)]))


def _item(view: UsageView, each: UsageSum, most: int) -> Item:
    name = group_name(view.query.by, each)

    def draw(pen: Pen) -> list[Line]:
        return [_row(view, each, (name, Tone.TEXT), most, pen)]

    return Item(key=each.group or "-", draw=draw, found_by=name)


def _total(view: UsageView) -> Item:
    def draw(pen: Pen) -> list[Line]:
        return [_row(view, view.total, ("together", Tone.STRONG), 0, pen)]

    return Item(key="\0together", draw=draw, found_by="together")


def _row(view: UsageView, each: UsageSum, named: tuple[str, Tone], most: int, pen: Pen) -> Line:
    name, price, drawn = _shape(view, pen.width)
    text, role = named
    values = (
        str(each.turns),
        ("≥" if each.floors else "") + short(each.tokens.input),
        percent(each).replace(" %", "%"),
        short(each.tokens.output),
        short(each.cold) if each.cold else "",
        str(each.refused or ""),
    )
    roles = (Tone.TEXT, Tone.TEXT, Tone.DIM, Tone.TEXT, Tone.WARN, Tone.BAD)
    cells = [pen.cell(f" {text}", name, role)]
    for value, (_, room), looks in zip(values, NUMBERS, roles, strict=True):
        cells.append(pen.cell(value, room, looks, right=True))
    cells += [pen.cell(dollars(each), price, Tone.DIM, right=True)] if price else []
    share = 100 * each.tokens.total / most if most else 0.0
    return pen.fitted(apart([*cells, Cell(bar(share, drawn) if drawn and most else "", Tone.ACCENT)]))
