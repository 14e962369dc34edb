"""People are added, shown, changed and forgotten; what cannot be is told with what to do, and changes nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accounts.ledger.records import TokenCount, TurnRecord
from accounts.ledger.usage_db import UsageDb
from accounts.model import Event
from accounts.people.budgets import Period
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.store.store import Store
from config import clock
from tests.builders import account, credentials

type Run = Callable[..., Any]


@pytest.fixture
def pool(home: Path) -> Path:
    """The accounts `work` and `home`, of which the first has a tag."""
    with Store(home / "pool.db") as store:
        for name, tags in (("work", ("team",)), ("home", ())):
            store.put_account(account(name, tags=tags), credentials(name)).result()
    return home


def people(home: Path) -> dict[str, Person]:
    with Store(home / "pool.db") as store:
        return {each.name: each for each in store.people.all()}


def test_somebody_new_may_use_everything(run: Run, pool: Path) -> None:
    ran = run("people", "add", "ann")
    assert ran.code == 0
    assert "ann may use every account, without a budget." in ran.out
    assert "codex-rotate keys add --person ann" in ran.out
    assert people(pool)["ann"].added_at == pytest.approx(clock.now(), abs=60)


def test_all_that_can_be_said_of_somebody(run: Run, pool: Path) -> None:
    said = "--accounts work,team --models gpt-5*,o* --priority 5 --tokens 2M/day,20M/month --turns 200/day --share 30%"
    assert run("people", "add", "ann", *said.split(), "--at-once", "4", "--soft").code == 0
    told = run("people", "show", "ann", "--json").json
    assert told["accounts"] == ["work", "#team"]
    assert told["models"] == ["gpt-5*", "o*"]
    assert told["tokens"] == [{"amount": 2_000_000, "period": "day"}, {"amount": 20_000_000, "period": "month"}]
    assert told["turns"] == [{"amount": 200, "period": Period.DAY}]
    assert (told["share_percent"], told["at_once"], told["soft"], told["priority"]) == (30, 4, True, 5)
    shown = run("people", "show", "ann").out.replace("\n", " ")
    for words in ("work and #team for gpt-5* and o*", "2M/day tokens", "30% of the pool", "4 at once", "Priority 5"):
        assert words in shown


def test_what_is_not_named_stays_as_it_is(run: Run, pool: Path) -> None:
    run("people", "add", "ann", "--tokens", "2M/day", "--turns", "9/day", "--accounts", "home", "--soft")
    assert run("people", "set", "ANN", "--tokens", "none", "--hard", "--json").json["changed"] is True
    told = run("people", "show", "ann", "--json").json
    assert (told["tokens"], told["soft"], told["accounts"]) == ([], False, ["home"])
    assert told["turns"] == [{"amount": 9, "period": "day"}]
    assert run("people", "set", "ann", "--accounts", "all", "--turns", "none").code == 0
    assert "every account, without a budget" in run("people", "show", "ann").out
    assert run("people", "set", "ann", "--accounts", "all", "--json").json["changed"] is False


def test_a_subset_follows_an_account_that_is_renamed(run: Run, pool: Path) -> None:
    run("people", "add", "ann", "--accounts", "work")
    run("label", "work", "office")
    assert run("people", "show", "ann", "--json").json["accounts"] == ["office"]


def test_a_key_that_is_there_can_become_somebodys(run: Run, pool: Path) -> None:
    run("keys", "add", "old")
    assert run("people", "add", "ann", "--key", "old").code == 0
    assert [each["name"] for each in run("people", "show", "ann", "--json").json["keys"]] == ["old"]
    run("people", "add", "bob")
    assert run("people", "set", "bob", "--key", "old", "--json").json["changed"] is True
    assert run("people", "show", "ann", "--json").json["keys"] == []


def test_everybody_in_a_table(run: Run, pool: Path) -> None:
    assert "There is nobody yet" in run("people", "list").out
    run("people", "add", "bob", "--tokens", "1k/hour")
    run("people", "add", "ann")
    run("people", "pause", "ann")
    assert [each["name"] for each in run("people", "list", "--json").json["people"]] == ["ann", "bob"]
    shown = run("people", "list").out
    assert "paused" in next(line for line in shown.splitlines() if "ann" in line)
    assert "1k/hour" in shown


def test_pause_and_resume_say_what_they_changed(run: Run, pool: Path) -> None:
    run("people", "add", "ann")
    run("people", "add", "bob")
    run("people", "pause", "bob")
    told = run("people", "pause", "ann", "bob", "--json").json
    assert (told["changed"], told["unchanged"]) == (["ann"], ["bob"])
    assert all(each.paused for each in people(pool).values())
    assert run("people", "pause", "ann", "nobody").code == 2
    assert run("people", "resume", "ann", "bob").code == 0
    assert not any(each.paused for each in people(pool).values())


def test_who_is_forgotten_may_no_longer_use_the_proxy(run: Run, pool: Path) -> None:
    run("people", "add", "ann")
    run("keys", "add", "--person", "ann")
    run("keys", "add", "bob")
    ran = run("people", "remove", "ann")
    assert (ran.code, "ann is taken back" in ran.out) == (0, True)
    assert people(pool) == {}
    assert run("keys", "list", "--json").json["keys"] == ["bob"]
    assert run("people", "add", "ann").code == 0


def test_changes_are_in_the_history(run: Run, pool: Path) -> None:
    run("people", "add", "ann")
    run("people", "set", "ann", "--tokens", "1/day")
    run("people", "set", "ann", "--tokens", "1/day")
    run("people", "pause", "ann")
    run("people", "remove", "ann")
    with Store(pool / "pool.db") as store:
        found = [(each.kind, each.detail) for each in reversed(store.events(10))]
    assert found == [
        ("person_added", "ann"),
        ("person_changed", "ann"),
        ("person_changed", "ann paused"),
        ("person_removed", "ann"),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("add ann", "already"),
        ("add ANN", "already"),
        ("add a/b", "another one"),
        ("add local", "another one"),
        ("add bob --accounts nobody", "neither an account nor a tag"),
        ("add bob --accounts wrok", "Did you mean work?"),
        ("add bob --accounts ,", "No account"),
        ("add bob --models ,", "name models"),
        ("add bob --tokens lots", "2M/day"),
        ("add bob --tokens 0/day", "people pause"),
        ("add bob --turns 1.5/day", "200/day"),
        ("add bob --share 101%", "from 1% to 100%"),
        ("add bob --at-once 0", "from 1 to 1000"),
        ("add bob --priority 1001", "1000"),
        ("add bob --key nokey", "There is no key"),
        ("set ann", "Nothing is to be changed"),
        ("set nan --tokens 1/day", "Did you mean ann?"),
        ("show eve", "people list"),
        ("pause eve", "people list"),
        ("remove eve", "people list"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(run: Run, pool: Path, line: str, words: str) -> None:
    run("people", "add", "ann")
    before = people(pool)
    ran = run("people", *line.split())
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err.replace("\n", " ")
    assert people(pool) == before


def used_by_ann(home: Path, *tokens: int) -> None:
    db = UsageDb(home / "usage.db")
    db.write([TurnRecord(when=clock.now() + 1, person="ann", tokens=TokenCount(input=each)) for each in tokens])
    db.close()


def test_what_somebody_has_used_is_shown_beside_each_budget(run: Run, pool: Path) -> None:
    run("people", "add", "ann", "--tokens", "2k/day", "--turns", "4/month")
    used_by_ann(pool, 300, 200)
    shown = run("people", "show", "ann").out.replace("\n", " ")
    assert "2 turns, 500 tokens." in shown
    assert "500 of 2k tokens today (25 %); anew" in shown
    assert "2 of 4 turns this month (50 %); anew" in shown
    told = run("people", "show", "ann", "--json").json["used"]
    assert [(each["measure"], each["used"]) for each in told["budgets"]] == [("tokens", 500), ("turns", 2)]
    assert told["today"] == {"tokens": 500, "turns": 2}


def test_a_ledger_that_cannot_be_read_is_said_and_the_rest_is_shown(run: Run, pool: Path) -> None:
    run("people", "add", "ann", "--tokens", "2k/day")
    (pool / "usage.db").write_bytes(b"no database" * 100)
    ran = run("people", "show", "ann", "--json")
    assert (ran.code, ran.json["name"], ran.json["used"]) == (0, "ann", None)
    assert "the ledger cannot be read" in ran.err.replace("\n", " ")


def test_a_key_that_was_used_in_two_places_is_told(run: Run, pool: Path) -> None:
    run("people", "add", "ann")
    run("keys", "add", "--person", "ann", "--label", "laptop")
    now = clock.now()
    with Store(pool / "pool.db") as store:
        for key, when in (("ann-laptop", now - 10**6), ("ann-laptop", now), ("somebody", now)):
            store.record(Event(at=when, kind="key_shared", detail=f"{key}: 10.0.0.5, 10.0.0.9")).result()
    ran = run("people", "show", "ann")
    assert "The key ann-laptop was used from 10.0.0.5 and from 10.0.0.9" in ran.out.replace("\n", " ")
    (told,) = run("people", "show", "ann", "--json").json["shared_keys"]
    assert (told["key"], told["places"]) == ("ann-laptop", ["10.0.0.5", "10.0.0.9"])


def test_a_thousand_people_are_shown_as_fast_as_one(run: Run, home: Path) -> None:
    with Store(home / "pool.db") as store:
        for number in range(1000):
            name = f"person-{number}"
            key = ClientKey(name=name, digest="", person=name)
            store.people.put(Person(name=name))
            last = store.people.put_key(key, f"secret {number}")
        last.result()
    began = clock.monotonic()
    assert len(run("people", "list", "--json").json["people"]) == 1000
    assert run("people", "show", "person-999", "--json").json["keys"][0]["name"] == "person-999"
    assert clock.monotonic() - began < 2.0
