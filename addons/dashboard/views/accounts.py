"""The accounts: what each is doing, how much of it is used, who lives there, and what can be changed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlencode

from accounts.forecast import Forecast
from accounts.model import Account, Event
from accounts.states import State, in_words
from accounts.views.account_list import AccountRow, set_by_owner
from accounts.views.remedies import remedies
from addons.dashboard.views import charts
from addons.dashboard.views.frame import chip, empty, facts, hidden, section, table
from addons.dashboard.views.html import Child, Html, joined, tag
from addons.dashboard.views.words import ago, look_of, sentence, time_of, windows
from config.times.local_time import clock_time

ON_A_PAGE: Final = 100
COLUMNS: Final = {
    "Account": "",
    "State": "",
    "Used, resets": "wide",
    "In flight": "num",
    "Threads": "num",
    "Last used": "",
    "Change": "end",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsSeen:
    """The pool at a moment. `in_flight` and `homes`, how many turns run on an account and how many threads live there,
    are by key. `trouble` says why some of it is from memory; "" when it is not."""

    rows: Sequence[AccountRow]
    now: float
    in_flight: Mapping[str, int] = field(default_factory=dict)
    homes: Mapping[str, int] = field(default_factory=dict)
    outlook: Forecast | None = None
    verdict: str = ""
    trouble: str = ""


class InputField(NamedTuple):
    """What can be written into a form: of which action, what it is called, what stands there now. `kind` is that of
    HTML; `most` bounds a number."""

    action: str
    name: str
    value: str
    hint: str = ""
    kind: str = "text"
    required: bool = True
    most: int | None = None


def accounts_view(seen: AccountsSeen, query: Mapping[str, str]) -> Html:
    """The pool in a few numbers, what to do about it, and a table of the accounts."""
    if not seen.rows:
        return joined([_trouble(seen), empty_pool()])
    hints = [tag("li", sentence(each)) for each in remedies([(r.account, r.told) for r in seen.rows], seen.now)]
    return joined(
        [
            _trouble(seen),
            _summary(seen),
            tag("ul", hints, class_="hints") if hints else None,
            _table(seen, query),
            _outlook(seen),
        ]
    )


def empty_pool() -> Html:
    return empty("The pool has no accounts yet: codex-rotate login --label NAME brings one in.")


def _trouble(seen: AccountsSeen) -> Html | None:
    return tag("p", sentence(seen.trouble), class_="trouble", role="alert") if seen.trouble else None


def _summary(seen: AccountsSeen) -> Html:
    serving = sum(each.told.serves for each in seen.rows)
    resets = min(((each.told.back, each) for each in seen.rows if each.told.back is not None), default=None, key=_first)
    chosen = next((each for each in seen.rows if each.chosen), None)
    everybody = tag("button", "Let the pool choose", form="act", name="do", value="auto:", class_="small")
    return facts(
        {
            "Can serve now": Html(f"<strong>{serving}</strong> of {len(seen.rows)}"),
            "Turns under way": tag("strong", sum(seen.in_flight.values())),
            "Next one back": joined([time_of(resets[0], seen.now), " ", resets[1].account.label]) if resets else "",
            "Everybody uses": joined([tag("strong", chosen.account.label), " ", everybody]) if chosen else "",
            "Forecast": sentence(seen.verdict),
        }
    )


def _first(each: tuple[float, AccountRow]) -> float:
    return each[0]


def _outlook(seen: AccountsSeen) -> Html | None:
    if seen.outlook is None or (seen.outlook.until is None and seen.outlook.out_at is None):
        return None
    return section("Forecast", charts.outlook(seen.outlook, seen.now), id_="forecast")


# --- the table -------------------------------------------------------------------------------------------------------


def _table(seen: AccountsSeen, query: Mapping[str, str]) -> Html:
    wanted = query.get("q", "").strip().casefold()
    found = [each for each in seen.rows if _fits(each, wanted)]
    pages = max(1, -(-len(found) // ON_A_PAGE))
    number = max(1, min(pages, int(query["page"]) if query.get("page", "").isdecimal() else 1))
    shown = found[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
    rows = [_row(each, seen) for each in shown]
    search = tag(
        "form",
        tag("label", "Find", for_="q"),
        tag("input", type="search", name="q", id="q", value=query.get("q", ""), placeholder="name, plan, state, #tag"),
        tag("button", "Find", class_="quiet"),
        action="/",
        method="get",
        class_="find",
        role="search",
    )
    parts: list[Child] = [search if len(seen.rows) > 8 or wanted else None]
    parts.append(table(COLUMNS, rows, label="Accounts", kind="stacks") if rows else empty("No account fits."))
    if pages > 1:
        parts.append(_pager(number, pages, len(found), query))
    return joined(parts)


def _fits(row: AccountRow, wanted: str) -> bool:
    account = row.account
    tags = " ".join(f"#{each}" for each in account.tags)
    told = f"{account.label} {account.email} {account.plan} {row.told.state.replace('_', ' ')} {tags}"
    return not wanted or wanted in told.casefold()


def _pager(number: int, pages: int, count: int, query: Mapping[str, str]) -> Html:
    def link(name: str, to: int) -> Html:
        if not 1 <= to <= pages:
            return tag("span", name, class_="faint")
        return tag("a", name, href=f"/?{urlencode({**query, 'page': to})}")

    words = tag("span", f"{count} accounts, page {number} of {pages}", class_="faint")
    return tag("nav", link("Before", number - 1), words, link("Next", number + 1), class_="pager", aria_label="Pages")


def _row(each: AccountRow, seen: AccountsSeen) -> Html:
    account, now = each.account, seen.now
    own = set_by_owner(account)
    name = tag(
        "th",
        tag("a", account.label, href=f"/account/{account.handle}", class_="name"),
        chip(account.plan) if account.plan else None,
        chip("everybody's", "strong") if each.chosen else None,
        tag("div", own, class_="faint small") if own else None,
        scope="row",
    )
    flying, homes = seen.in_flight.get(account.key, 0), seen.homes.get(account.key, 0)
    return tag(
        "tr",
        name,
        _cell("State", tag("span", in_words(each.told, now), class_=f"state {look_of(each.told)}")),
        _cell("Used, resets", windows(each.windows, now) or tag("span", "not known yet", class_="faint"), "wide"),
        _cell("In flight", flying or tag("span", "0", class_="faint"), "num"),
        _cell("Threads", homes or tag("span", "0", class_="faint"), "num"),
        _cell("Last used", tag("span", ago(each.last_used, now) or "never", class_="faint whole")),
        _cell("Change", _menu(each), "end"),
        data_key=account.handle,
    )


def _cell(name: str, child: Child, kind: str = "") -> Html:
    return tag("td", child, data_name=name, class_=kind or None)


def _menu(row: AccountRow) -> Html:
    handle, label = row.account.handle, row.account.label
    resting = row.told.state is State.RESTING
    pause = ("resume", "Resume") if not row.account.enabled else ("pause", "Pause")
    choose = ("auto", "Let the pool choose") if row.chosen else ("use", "Everybody uses it")
    offered = [pause, choose, *([("clear", "End its rest")] if resting else [])]
    items = [do(action, handle, words, f"{words}: {label}") for action, words in offered]
    more = tag("a", "Name, tags, history", href=f"/account/{handle}")
    summary = tag("summary", "Change", aria_label=f"Change {label}")
    return tag("details", summary, tag("div", items, more, class_="menu"), class_="dropdown")


def do(action: str, handle: str, words: str, label: str = "") -> Html:
    """A button of the one form for changes."""
    return tag("button", words, form="act", name="do", value=f"{action}:{handle}", aria_label=label or None)


# --- one account -----------------------------------------------------------------------------------------------------


def account_view(row: AccountRow, seen: AccountsSeen, history: Sequence[Event], csrf: str) -> Html:
    """Everything about one account, and what can be changed."""
    account, now = row.account, seen.now
    resting = row.told.state is State.RESTING
    buttons = [
        do("resume", account.handle, "Resume") if not account.enabled else do("pause", account.handle, "Pause"),
        do("auto", account.handle, "Let the pool choose")
        if row.chosen
        else do("use", account.handle, "Everybody uses it"),
        do("clear", account.handle, "End its rest") if resting else None,
    ]
    known = {
        "State": tag("span", in_words(row.told, now), class_=f"state {look_of(row.told)}"),
        "Plan": account.plan,
        "E-mail": account.email,
        "In flight": str(seen.in_flight.get(account.key, 0)),
        "Threads that live here": str(seen.homes.get(account.key, 0)),
        "Last used": ago(row.last_used, now) or "never",
        "Set by you": set_by_owner(account),
        "In the pool since": clock_time(account.added_at, now) if account.added_at else "",
    }
    return joined(
        [
            tag("p", tag("a", "All accounts", href="/"), class_="back"),
            tag("h2", account.label, class_="title"),
            facts(known),
            tag("div", buttons, class_="buttons"),
            section("Used", windows(row.windows, now) or empty("Nothing is known of its windows yet.")),
            section("Change", [_field(each, account.handle, csrf) for each in _fields(account)]),
            section("What happened here", _history(history, now)),
        ]
    )


def _fields(account: Account) -> tuple[InputField, ...]:
    """What its owner may write for an account."""
    return (
        InputField("label", "Name", account.label),
        InputField("tags", "Tags", " ".join(account.tags), "Words of your own, with spaces between.", required=False),
        InputField(
            "priority",
            "Priority",
            str(account.priority),
            "Higher comes first for new threads; 0 is usual.",
            kind="number",
        ),
        InputField(
            "reserve",
            "Reserve",
            str(account.reserve_percent),
            "So many percent of each window are kept for you; 0 for none.",
            kind="number",
            most=100,
        ),
    )


def _field(field: InputField, handle: str, csrf: str) -> Html:
    described = f"{field.action}-hint" if field.hint else None
    return tag(
        "form",
        hidden("csrf", csrf),
        tag("label", field.name, for_=field.action),
        tag(
            "input",
            type=field.kind,
            id=field.action,
            name="value",
            value=field.value,
            required=field.required,
            min=0 if field.most is not None else None,
            max=field.most,
            aria_describedby=described,
        ),
        tag("button", "Save", name="do", value=f"{field.action}:{handle}"),
        tag("span", field.hint, id=described, class_="faint") if field.hint else None,
        method="post",
        action="/act",
        class_="field",
        data_enhance=True,
    )


def _history(history: Sequence[Event], now: float) -> Html:
    rows = [
        tag(
            "tr",
            tag("td", time_of(each.at, now)),
            tag("td", each.kind.replace("_", " ")),
            tag("td", each.detail, class_="wide"),
        )
        for each in history
    ]
    if not rows:
        return empty("The history has nothing of it.")
    return table({"When": "", "What": "", "Detail": "wide"}, rows, label="History")
