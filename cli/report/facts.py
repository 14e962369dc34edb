"""What a report says, as values: put together without reading a secret, with numbers in the place of names."""

import platform
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from accounts.choice.decision_record import DECISION
from accounts.choice.outcomes import Kind
from accounts.codex_files.reconcile import shown_counters, switched_off
from accounts.history import decisions, tally
from accounts.model import Event
from accounts.policy import stored_states
from accounts.states import in_words
from accounts.store.store import EVENTS_KEPT, Store
from accounts.views.decisions import decision_data
from cli.doctor.checks import Facts, judged, look
from cli.doctor.finding import Finding
from cli.doctor.probe import Probe
from cli.report.redaction import Sweep, gathered
from config import access, paths
from config.errors import RotateError

DECISIONS_SHOWN: Final = 10
NOT_TRIED: Final = "Nothing was sent anywhere for this report. `codex-rotate doctor` tries two requests."
TOLD: Final = frozenset(Kind) | {
    "refreshed",
    "verified",
    "unsealed",
    "rest_ended",
    "rest_restored",
    "priority_changed",
    "reserve_changed",
}
"""Events whose detail is a fact; that of others is the name that somebody gave an account."""
MODEL: Final = re.compile(r"[\w.:/-]{1,60}", re.ASCII)


@dataclass
class Names:
    """Numbers for accounts and threads, the same ones everywhere in a report."""

    labels: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    _gone: dict[str, str] = field(default_factory=dict)
    _threads: dict[str, str] = field(default_factory=dict)

    def account(self, label: str) -> str:
        return self.labels.get(label) or self._gone.setdefault(label, f"former-account-{len(self._gone) + 1}")

    def thread(self, thread: str) -> str:
        return self._threads.setdefault(thread, f"thread-{len(self._threads) + 1}") if thread else ""


@dataclass(frozen=True, slots=True)
class Report:
    """`data` is all that JSON needs, clean; `events` the history; `sweep` what else of this machine is cleaned with."""

    data: Mapping[str, object]
    events: Sequence[object]
    sweep: Sweep


def made(environ: Mapping[str, str], now: float) -> Report:
    """Everything, asked of nobody outside this machine."""
    facts = look(environ, now)
    store = _opened(facts, environ)
    try:
        return _report(facts, store, environ)
    finally:
        if store is not None:
            store.close()


def _opened(facts: Facts, environ: Mapping[str, str]) -> Store | None:
    """None for a pool that is not there or cannot be read; a finding says why."""
    try:
        return Store(paths.pool_file(environ)) if facts.storage.there and not facts.storage.trouble else None
    except RotateError:
        return None


def _report(facts: Facts, store: Store | None, environ: Mapping[str, str]) -> Report:
    sweep = gathered(store, environ)
    accounts = store.accounts() if store else ()
    numbers = [(each, f"account-{number}") for number, each in enumerate(accounts, 1)]
    names = Names({each.label: name for each, name in numbers}, {each.key: name for each, name in numbers})
    events = store.events(EVENTS_KEPT) if store else ()
    chosen = store.chosen_account() if store else ""
    found = decisions(events)
    data = {
        "made_at": datetime.fromtimestamp(facts.now, UTC).isoformat(timespec="seconds"),
        "versions": _versions(facts),
        "settings": _settings(environ, names),
        "sync_switched_off_by": switched_off(environ) or None,
        "pool_read": store is not None or not facts.storage.there,
        "accounts": _accounts(store, facts.now, environ),
        "chosen": names.keys.get(chosen),
        "certificate": {
            "condition": facts.ca.condition,
            "days_left": facts.ca.days_left,
            "due": facts.ca.due,
            "can_vouch_for": list(facts.ca.can_vouch_for),
        },
        "proxies_seen": facts.proxies.refused is None,
        "proxies": _proxies(facts),
        "requests": tally(events)._asdict(),
        "counters": shown_counters(store.counters()) if store else {},
        "decisions": [_decision(decision_data(each), names, sweep) for each in found[:DECISIONS_SHOWN]],
        "findings": _findings(facts, names, sweep),
    }
    return Report(_mapping(sweep.value(data)), [_event(each, names, sweep) for each in events], sweep)


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, dict)
    return value


# --- the parts -------------------------------------------------------------------------------------------------------


def _versions(facts: Facts) -> dict[str, object]:
    client = facts.client.version
    return {
        "codex_rotate": facts.program.own,
        "python": facts.program.python,
        "mitmproxy": facts.program.mitmproxy or None,
        "sqlite": sqlite3.sqlite_version,
        "codex": ".".join(map(str, client)) if facts.client.program and client else None,
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
    }


def _settings(environ: Mapping[str, str], names: Names) -> dict[str, object]:
    """Each value with its source. An address never has its user and password, an account its name. What is wrong with
    them is a finding."""
    from config import settings, settings_file  # late: msgspec

    try:
        found = settings.load(environ)
    except settings.ConfigError:
        return {}
    content = settings_file.read(paths.config_file(environ))
    in_file, in_environ = settings_file.values(paths.config_file(environ), content), settings.in_environment(environ)
    values = {key: settings.shown(getattr(found, key)) for key in settings.KEYS}
    if found.upstream_proxy is not None:
        values["upstream_proxy"] = str(found.upstream_proxy)
    if found.pinned_account:
        values["pinned_account"] = names.labels.get(found.pinned_account, "an account, by another name than its label")
    told: dict[str, object] = {}
    for key, value in values.items():
        source = "environment" if key in in_environ else "file" if key in in_file else "default"
        told[key] = {"value": value, "source": source}
    return told


def _accounts(store: Store | None, now: float, environ: Mapping[str, str]) -> list[dict[str, object]]:
    if store is None:
        return []
    states, windows, logins = stored_states(store, now, environ), store.windows(), store.all_credentials()
    told: list[dict[str, object]] = []
    for number, each in enumerate(store.accounts(), 1):
        login, seen = logins.get(each.key), windows.get(each.key, ())
        state = states[each.key]
        told.append(
            {
                "account": f"account-{number}",
                "plan": each.plan,
                "state": str(state.state),
                "state_in_words": in_words(state, now),
                "until": state.until,
                "reason": state.reason,
                "standing": str(each.standing),
                "enabled": each.enabled,
                "priority": each.priority,
                "reserve_percent": each.reserve_percent,
                "other_origin": each.backend_origin is not None or each.routing_override is not None,
                "login": None if login is None else "own" if login.own else "may be shared with the client",
                "expires_at": login.expires_at if login else None,
                "windows": [asdict(window) for window in seen],
            }
        )
    return told


def _proxies(facts: Facts) -> list[dict[str, object]]:
    return [
        {
            "url": each.presence.url,
            "pid": each.presence.pid,
            "version": each.presence.version,
            "everything": each.presence.everything,
            "signs": str(each.signs),
        }
        for each in facts.proxies.running
    ]


def _decision(told: Mapping[str, object], names: Names, sweep: Sweep) -> dict[str, object]:
    """A decision record of which only what the proxy itself says is left."""
    attempts = told["attempts"]
    assert isinstance(attempts, list)
    kept = [
        {**each, "account": names.account(each["account"]), "why": sweep.free(each["why"]),
         "outcome": sweep.free(each["outcome"]), "detail": sweep.free(each["detail"])}
        for each in attempts
    ]  # fmt: skip
    model, thread = str(told["model"]), names.thread(str(told["thread"]))
    model = model if MODEL.fullmatch(model) else ""
    return {**told, "done": sweep.free(str(told["done"])), "model": model, "thread": thread, "attempts": kept}


def _event(event: Event, names: Names, sweep: Sweep) -> object:
    base = {
        "at": event.at,
        "kind": event.kind,
        "account": names.keys.get(event.key),
        "thread": names.thread(event.thread),
    }
    if event.kind == DECISION:
        (found,) = decisions([event])
        return sweep.value({**base, "decision": _decision(decision_data(found), names, sweep)})
    return sweep.value({**base, "detail": sweep.free(event.detail) if event.kind in TOLD else ""})


def _findings(facts: Facts, names: Names, sweep: Sweep) -> list[dict[str, object]]:
    """What `doctor` would say of all this, without trying anything out."""
    pool = facts.pool
    if pool is not None:
        seats = tuple(replace(seat, label=names.account(seat.label)) for seat in pool.seats)
        pool = replace(pool, seats=seats, shared=tuple(map(names.account, pool.shared)))
    nameless = replace(facts, pool=pool, probe=Probe(skipped=NOT_TRIED))
    return [{"group": group, **_words(finding, sweep)} for group, finding in judged(nameless)]


def _words(finding: Finding, sweep: Sweep) -> dict[str, object]:
    told = {"name": finding.name, "state": str(finding.state)}
    what, remedy = (sweep.free(access.nameless(text)) for text in (finding.what, finding.remedy))
    return {**told, "what": what, "remedy": remedy}


def lines_of(events: Iterable[object]) -> str:
    """One JSON value per line."""
    import json

    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in events)
