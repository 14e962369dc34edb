"""Who used how much of what. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from accounts.ledger.queries import Grouping
from accounts.views.usage import UsageSum, UsageView, group_name
from addons.dashboard.views import charts
from addons.dashboard.views.charts import Bucket
from addons.dashboard.views.frame import empty, facts, section, table
from addons.dashboard.views.html import Child, Html, joined, tag
from addons.dashboard.views.words import share
from config.numbers import short

SPANS: Final[Mapping[str, str]] = {"24h": "day", "7d": "week", "30d": "month"}
DEFAULT_SPAN: Final = "7d"
GROUPS: Final = (Grouping.PERSON, Grouping.ACCOUNT, Grouping.PROJECT, Grouping.MODEL)
MOST_GROUPS: Final = 30
MOST_COLOURS: Final = 7
"""So many groups have a part of their own in the bars; the rest is one together."""
OTHERS: Final = "all others"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSeen:
    """What the ledger has: a view for each grouping, and over time by the grouping that was chosen: of each bucket its
    name and the tokens of each group."""

    views: Mapping[Grouping, UsageView]
    by: Grouping
    span: str
    over_time: Sequence[tuple[str, Mapping[str, float]]]
    person: str = ""
    trouble: str = ""


def usage_view(seen: UsageSeen) -> Html:
    """The sums, the bars over time, and a table for each grouping."""
    if seen.trouble:
        return tag("p", seen.trouble, class_="trouble", role="alert")
    groupings = [each for each in GROUPS if each in seen.views]
    chosen = seen.views[seen.by]
    links = joined(
        [
            _choice("How long", {span: f"Last {words}" for span, words in SPANS.items()}, seen.span, "span", seen),
            _choice("What is told apart", {str(each): f"By {each}" for each in groupings}, str(seen.by), "by", seen),
        ]
    )
    if not chosen.groups:
        return joined([links, empty("The ledger has no turns of that time. A proxy writes them down as they end.")])
    total = chosen.total
    known = {
        "Turns": tag("strong", f"{total.turns:,}"),
        "Tokens in": f"{short(total.tokens.input)}{_cached(total)}",
        "Tokens out": f"{short(total.tokens.output)}, {short(total.tokens.reasoning)} of them reasoning",
        "Switches of account": f"{total.rotations:,}" if not seen.person else "",
        "Cold tokens": short(total.cold) if total.cold and not seen.person else "",
        "Refused": f"{total.refused:,}" if total.refused else "",
        "At API prices": f"${total.cost:,.2f}" if total.cost else "",
    }
    note = "At API prices: a comparison, and no invoice." if total.cost else ""
    return joined(
        [
            links,
            facts(known),
            tag("p", note, class_="faint") if note else None,
            _over_time(seen),
            tag("div", [section(f"By {each}", _table(seen.views[each], each)) for each in groupings], class_="columns"),
        ]
    )


def _choice(label: str, choices: Mapping[str, str], chosen: str, name: str, seen: UsageSeen) -> Html:
    now = {"span": seen.span, "by": str(seen.by)}
    links = [
        tag(
            "a", words, href=f"/usage?{urlencode({**now, name: each})}", aria_current="true" if each == chosen else None
        )
        for each, words in choices.items()
    ]
    return tag("nav", links, class_="choice", aria_label=label)


def _cached(each: UsageSum) -> str:
    return "" if each.cached_percent is None else f", {round(each.cached_percent)} % cached"


def _over_time(seen: UsageSeen) -> Html:
    view = seen.views[seen.by]
    first = [each.group for each in view.groups[:MOST_COLOURS]]
    names = {each.group: group_name(seen.by, each.group, each.shown) for each in view.groups[:MOST_COLOURS]}
    more = len(view.groups) > len(first)
    buckets = []
    for name, told in seen.over_time:
        parts = {names[group]: told[group] for group in first if told.get(group)}
        rest = sum(value for group, value in told.items() if group not in names)
        buckets.append(Bucket(name=name, parts=parts | ({OTHERS: rest} if rest else {})))
    order = [*dict.fromkeys(names.values()), *([OTHERS] if more else [])]
    return section("Tokens over time", charts.stacked(buckets, order, label=f"Tokens over time by {seen.by}"))


def _table(view: UsageView, by: Grouping) -> Html:
    if not view.groups:
        return empty("Nothing.")
    most = max((each.tokens.total for each in view.groups), default=0) or 1
    rows: list[Child] = []
    for each in view.groups[:MOST_GROUPS]:
        cells = (
            tag("th", group_name(by, each.group, each.shown), scope="row"),
            tag("td", f"{each.turns:,}", class_="num"),
            tag("td", f"{'≥ ' if each.floors else ''}{short(each.tokens.total)}", class_="num"),
            tag("td", share(100 * each.tokens.total / most), class_="barred"),
        )
        rows.append(tag("tr", cells))
    columns = {str(by).capitalize(): "", "Turns": "num", "Tokens": "num", "Share": "barred"}
    more = len(view.groups) - len(rows)
    return joined(
        [table(columns, rows, label=f"Usage by {by}"), empty(f"{more} more are not shown.") if more > 0 else None]
    )
