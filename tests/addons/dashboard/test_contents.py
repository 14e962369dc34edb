"""What the views show is what the pool's file, its history and the ledger say."""

import json
from typing import Any

from accounts.choice.decision_record import DECISION
from accounts.choice.quota import MAIN, Window
from accounts.ledger.records import TokenCount, TurnRecord
from accounts.ledger.usage_db import UsageDb
from accounts.model import Event
from accounts.store.store import Store
from addons.dashboard.contents import Subject
from config import clock, paths
from tests.addons.dashboard.site import Site
from tests.builders import account

THREAD = "0199c0de-7a11-7000-8000-0000000000aa"


def served(store: Store, at: float, *attempts: tuple[str, str], person: str = "", thread: str = THREAD) -> None:
    """A turn of the history and of the ledger: labels of accounts, and what each said."""
    rows = [
        {"account": label, "why": "its turn", "kind": kind, "detail": "", "seconds": 1.0} for label, kind in attempts
    ]
    told = {
        "done": "delivered",
        "model": "gpt-5",
        "seconds": 2.0,
        "attempts": rows,
        "person": person,
        "client_key": person,
    }
    store.record(Event(at=at, kind=DECISION, thread=thread, detail=json.dumps(told))).result()
    tokens = TokenCount(input=12_000, cached=8_000, output=500)
    label = attempts[-1][0]
    ledger = UsageDb(paths.usage_file())
    ledger.write(
        [
            TurnRecord(
                when=at,
                person=person,
                account=label,
                account_key=account(label).key,
                project=f"of-{person}",
                thread=thread,
                root=thread,
                model="gpt-5",
                tokens=tokens,
                rotations=len(attempts) - 1,
            )
        ]
    )
    ledger.close()


async def shown(site: Site, view: str, person: str = "", **query: Any) -> str:
    return str(await site.server.contents.part(Subject(view, person, tuple(query.items()))))


async def test_accounts_with_their_windows_and_how_long_they_last(site: Site, store: Store) -> None:
    now = clock.now()
    for name in ("ann", "bob"):
        spent = Window(family=MAIN, minutes=300, used_percent=62, resets_at=now + 9000, seen_at=now)
        store.set_windows(account(name).key, (spent,)).result()
    text = await shown(site, "accounts")
    assert "<strong>2</strong> of 2" in text
    assert "5h: 62 % used" in text
    assert "At this pace the pool is empty" in text
    assert "dry at " in text


async def test_a_search_finds_by_name_plan_and_state(site: Site, store: Store) -> None:
    store.update_account(account("bob").key, enabled=False).result()
    for wanted, found in (("ann", ["ann"]), ("plus", ["ann", "bob"]), ("paused", ["bob"]), ("nothing", [])):
        text = await shown(site, "accounts", q=wanted)
        assert [name for name in ("ann", "bob") if f'data-key="{account(name).handle}"' in text] == found


async def test_what_was_drawn_is_drawn_anew_only_when_something_has_changed(site: Site, store: Store) -> None:
    first = await site.server.contents.part(Subject("decisions", "", ()))
    assert await site.server.contents.part(Subject("decisions", "", ())) is first
    served(store, clock.now(), ("ann", "ok"))
    assert await site.server.contents.part(Subject("decisions", "", ())) is not first


async def test_decisions_with_everybody_who_was_asked(site: Site, store: Store) -> None:
    now = clock.now()
    served(store, now - 60, ("ann", "usage_limit"), ("bob", "ok"), person="kim")
    served(store, now - 50, ("ann", "ok"), thread="another-thread")
    text = await shown(site, "decisions")
    assert "ann → bob" in text
    assert "because its turn: usage limit" in text
    assert "12k in, 500 out" in text
    assert "A new thread would go to" in text
    only = await shown(site, "decisions", thread=THREAD)
    assert "another-thread" not in only
    assert "This thread" in only


async def test_a_person_sees_their_own_decisions_and_no_account(site: Site, store: Store) -> None:
    now = clock.now()
    served(store, now - 60, ("ann", "usage_limit"), ("bob", "ok"), person="kim")
    served(store, now - 50, ("ann", "ok"), person="lee")
    text = await shown(site, "decisions", "kim")
    assert "of-kim" in text
    assert "of-lee" not in text
    assert ">ann<" not in text
    assert "bob" not in text


async def test_usage_by_each_grouping_and_over_time(site: Site, store: Store) -> None:
    now = clock.now()
    served(store, now - 60, ("ann", "ok"), person="kim")
    served(store, now - 3600 * 30, ("bob", "ok"), person="lee")
    text = await shown(site, "usage", by="account")
    for words in ("By person", "By account", "By project", "By model", "kim", "of-lee", "ann: 12.5k", "bob: 12.5k"):
        assert words in text
    day = await shown(site, "usage", span="24h")
    assert "lee" not in day
    own = await shown(site, "usage", "kim")
    assert "of-kim" in own
    assert "of-lee" not in own
    assert "By account" not in own


async def test_a_ledger_that_cannot_be_read_says_so(site: Site) -> None:
    paths.usage_file().write_bytes(b"this is no database, and long enough to be looked at as one " * 50)
    assert "The ledger cannot be read now" in await shown(site, "usage")


async def test_the_timeline_has_each_rotation_with_its_reason(site: Site, store: Store) -> None:
    served(store, clock.now() - 600, ("ann", "usage_limit"), ("bob", "ok"), person="kim")
    text = await shown(site, "timeline")
    assert "from ann to bob, usage limit" in text
    assert 'href="#r0"' in text
    assert 'id="r0"' in text
    served(store, clock.now() - 3600 * 30, ("bob", "server_error"), ("ann", "ok"))
    assert "server error" not in await shown(site, "timeline")
    assert "server error" in await shown(site, "timeline", hours="72")


async def test_findings_are_looked_for_once_in_a_while(site: Site) -> None:
    text = await shown(site, "findings")
    assert "The disk is nearly full." in text
    assert "<code>df</code>" in text
    site.server.contents._look = list
    assert await shown(site, "findings") == text
