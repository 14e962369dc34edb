"""Three people at once with the official client, one of them over budget: it stops at once and says why, on its screen
and in the owner's log; the others are served."""

from dataclasses import replace
from pathlib import Path

from accounts.history import decisions
from accounts.people.budgets import Budgets, Measure, read_limits
from accounts.people.keys import ClientKey, new_secret
from accounts.people.people import Person
from accounts.store.store import Store
from tests.e2e.codex import Codex, finish
from tests.e2e.conftest import Scene, SetUp
from tests.e2e.test_rotation import SAY_HI, unnoticed
from tests.harness import eventually, write_login

SENTENCE = "codex-rotate: ann has used the 1 turn of today; more "
MOST_ASKED = 2
"""Its warm-up, and its turn: a client that does not stop asks six times and more."""


def clients(scene: Scene, folder: Path) -> dict[str, Codex]:
    """Ann, who may have one turn a day, bob and eve: each with a key and a home of their own."""
    ann = Person(name="ann", budgets=Budgets(limits=read_limits(Measure.TURNS, "1/day")))
    found = {}
    with Store(scene.proxy.home / "pool.db") as store:
        for person in (ann, Person(name="bob"), Person(name="eve")):
            secret, home, work = new_secret(), folder / person.name / "home", folder / person.name / "work"
            store.people.put(person).result()
            store.people.put_key(ClientKey(name=person.name, digest="", person=person.name), secret).result()
            for each in (home, work):
                each.mkdir(parents=True)
            write_login(scene.home, home / "auth.json")
            found[person.name] = replace(scene.codex, home=home, folder=work, says=f"-:{secret}")
    return found


def refusals(scene: Scene) -> int:
    """How many requests were refused by the rule, the client's warm-ups included."""
    with Store(scene.proxy.home / "pool.db") as store:
        return sum(each.record.rule == "turn_budget" for each in decisions(store.events(100)))


def test_who_is_over_budget_is_told_at_once_and_the_others_are_served(
    set_up: SetUp, transport: str, tmp_path: Path
) -> None:
    scene = set_up()
    people = clients(scene, tmp_path)
    assert unnoticed(people["ann"].run(SAY_HI), "Hello from acc-1.", transport)
    running = {name: each.start(SAY_HI) for name, each in people.items()}
    refused = finish(running["ann"])
    served = [finish(running[name]) for name in ("bob", "eve")]
    assert refused.code == 1
    assert SENTENCE in refused.err
    assert "Reconnecting" not in refused.err
    assert [each.code for each in served] == [0, 0]
    assert all("Hello from acc-" in each.out for each in served)
    scene.proxy.output.wait_for(r"ann .*refused by codex-rotate: turn budget", seconds=5)
    assert eventually(lambda: refusals(scene) >= 1)  # decisions are written behind the answers
    assert refusals(scene) <= MOST_ASKED
