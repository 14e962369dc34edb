"""What was decided for each turn and why, and what would be decided now. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from accounts.choice.decision_record import AttemptRow
from accounts.history import Decision
from accounts.ledger.records import TurnRecord
from accounts.views.choice import ChoiceView
from accounts.views.choice_words import about_thread, choice_verdict, standing_words
from addons.dashboard.views.frame import chip, empty, facts, section, table
from addons.dashboard.views.html import Child, Html, joined, tag
from addons.dashboard.views.words import look_of, sentence, span, time_of
from config.numbers import short

ON_A_PAGE: Final = 50
MOST_ASSESSED: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionsSeen:
    """Turns of the history, the newest first, with what the ledger has of each; the choice for the thread that was
    asked for, or for a new one. `person`: whose they are, "" for all."""

    found: Sequence[tuple[Decision, TurnRecord | None]]
    count: int
    page: int
    now: float
    thread: str = ""
    person: str = ""
    choice: ChoiceView | None = None


def decisions_view(seen: DecisionsSeen) -> Html:
    search = tag(
        "form",
        tag("label", "Thread", for_="thread"),
        tag(
            "input",
            type="search",
            name="thread",
            id="thread",
            value=seen.thread,
            placeholder="the id of a conversation",
        ),
        tag("button", "Show", class_="quiet"),
        tag("a", "All", href="/decisions") if seen.thread else None,
        action="/decisions",
        method="get",
        class_="find",
        role="search",
    )
    parts: list[Child] = [search]
    if seen.choice is not None:
        parts.append(_choice(seen.choice, seen.now))
    items = [_decision(decision, turn, seen) for decision, turn in seen.found]
    parts.append(
        section(
            "What was decided" if not seen.thread else "What was decided for this thread",
            tag("div", items, class_="rotations") if items else empty("The history has no such turn."),
            _pager(seen),
        )
    )
    return joined(parts)


def _pager(seen: DecisionsSeen) -> Html | None:
    pages = max(1, -(-seen.count // ON_A_PAGE))
    if pages == 1:
        return None

    def link(name: str, to: int) -> Html:
        if not 1 <= to <= pages:
            return tag("span", name, class_="faint")
        asked = {"thread": seen.thread} if seen.thread else {}
        return tag("a", name, href=f"/decisions?{urlencode({**asked, 'page': to})}")

    words = tag("span", f"{seen.count} turns, page {seen.page} of {pages}", class_="faint")
    return tag(
        "nav", link("Newer", seen.page - 1), words, link("Older", seen.page + 1), class_="pager", aria_label="Pages"
    )


def _choice(view: ChoiceView, now: float) -> Html:
    rows: list[Child] = []
    before = None
    for number, each in enumerate(view.found.assessments[:MOST_ASSESSED], 1):
        rows.append(
            tag(
                "tr",
                tag("td", str(number) if each.rank else "–", class_="num"),
                tag("th", each.candidate.account.label, scope="row"),
                tag(
                    "td",
                    tag("span", standing_words(each, before, view.policy, now), class_=f"state {look_of(each.told)}"),
                ),
            )
        )
        before = each
    words = [*about_thread(view, now), choice_verdict(view, now)]
    title = "What would be decided now" if not view.ask.thread else "What would be decided now for this thread"
    fold = tag(
        "details",
        tag("summary", "Every account, with what decides"),
        table({"#": "num", "Account": "", "Why": ""}, rows, label="Every account"),
        class_="fold",
        open=bool(view.ask.thread),
    )
    return section(title, [tag("p", sentence(each)) for each in words], fold)


def _decision(decision: Decision, turn: TurnRecord | None, seen: DecisionsSeen) -> Html:
    record = decision.record
    went = list(dict.fromkeys(each.account for each in record.attempts))
    way = " → ".join(went) if not seen.person else ""
    ruled = f" ({record.rule.replace('_', ' ')})" if record.rule else ""
    head = tag(
        "summary",
        time_of(decision.at, seen.now),
        tag("span", way or record.done, class_="way"),
        chip(record.done + ruled, "" if record.done == "delivered" else "low"),
        chip(f"{len(record.attempts)} asked", "low") if len(record.attempts) > 1 and not seen.person else None,
        tag("span", " ".join(filter(None, (_asker(decision, turn), record.model))), class_="faint"),
        tag("span", span(record.seconds), class_="faint num"),
    )
    known: Mapping[str, Child] = {
        "Asked, in this order": _attempts(record.attempts) if record.attempts and not seen.person else "",
        "In the end": record.done + ruled,
        "Project": turn.project if turn is not None else "",
        "Tokens": f"{short(turn.tokens.input)} in, {short(turn.tokens.output)} out" if turn is not None else "",
        "Not cached for the change": f"{short(turn.cold)} tokens" if turn is not None and turn.cold else "",
        "First output": span(turn.first_output) if turn is not None and turn.first_output is not None else "",
        "Thread": tag("a", decision.thread, href=f"/decisions?thread={decision.thread}") if decision.thread else "",
    }
    return tag("details", head, facts(known), class_="rotation", data_key=f"{decision.at:.3f}{decision.thread}")


def _asker(decision: Decision, turn: TurnRecord | None) -> str:
    who = decision.record.person or decision.record.client_key
    return " in ".join(filter(None, (who, turn.project if turn is not None else "")))


def _attempts(found: Sequence[AttemptRow]) -> Html:
    items = [
        tag("li", tag("strong", each.account), f", because {each.why}: {each.kind.replace('_', ' ')}",
            f" ({each.detail})" if each.detail else "", f" after {span(each.seconds)}")
        for each in found
    ]  # fmt: skip
    return tag("ol", items, class_="asked")
