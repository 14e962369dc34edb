"""All that the screen shows, once, for programs."""

from dataclasses import asdict

from accounts.views.account_list import window_label
from accounts.views.decisions import decision_data
from accounts.views.live_turns import live_turn_data
from accounts.views.usage import usage_data
from cli.top.facts import ShownFacts
from cli.top.rows.history import ToldEvent, told
from cli.ui.words.states import described


def data(facts: ShownFacts, now: float) -> dict[str, object]:
    """Times are in seconds since the epoch. `history` has requests and changes, the newest first."""
    in_flight, labels = facts.proxies.in_flight, facts.pool.labels
    return {
        "proxies": list(facts.proxies.urls),
        "accounts": [
            described(row.number, row.account, row.told, now)
            | {
                "windows": [asdict(each) | {"name": window_label(each)} for each in row.windows],
                "last_used": row.last_used,
                "active": row.active,
                "chosen": row.chosen,
                "turns": in_flight[row.account.label],
                "threads": facts.pool.homes.get(row.account.key, 0),
            }
            for row in facts.pool.rows
        ],
        "turns": [live_turn_data(each) for each in facts.proxies.turns],
        "history": [_event(each, labels) for each in told(facts.pool.events)],
        "usage": usage_data(facts.usage) if facts.usage is not None else None,
    }


def _event(each: ToldEvent, labels: dict[str, str]) -> dict[str, object]:
    event = each.event
    return {
        "at": event.at,
        "kind": event.kind,
        "account": labels.get(event.key),
        "thread": event.thread or None,
        "detail": event.detail if each.decision is None else None,
        "rotated": each.rotated,
        "decision": decision_data(each.decision) if each.decision is not None else None,
    }
