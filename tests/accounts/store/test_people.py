"""People and their keys are in the pool's file; one that the version before has written is opened with its keys."""

import sqlite3
from contextlib import closing
from pathlib import Path

from accounts.model import fingerprint
from accounts.people.budgets import Budgets, Limit, Measure, Period
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.store.store import Store
from tests.builders import NOW, credentials, old_pool

ANN = Person(
    name="ann",
    accounts=("acct:user", "#team"),
    models=("m-*",),
    priority=-3,
    budgets=Budgets(
        limits=(Limit(measure=Measure.TOKENS, amount=2_000_000, period=Period.DAY),), share=30, at_once=4, soft=True
    ),
    paused=True,
    added_at=NOW,
)
BEFORE_PEOPLE = 7


def key(name: str, person: str = "", **more: object) -> ClientKey:
    return ClientKey(name=name, digest=fingerprint(f"secret of {name}"), person=person, **more)  # type: ignore[arg-type]


def put(store: Store, *keys: ClientKey) -> None:
    for each in keys:
        store.people.put_key(each, f"secret of {each.name}").result()


def test_a_person_comes_back_as_they_were(tmp_path: Path) -> None:
    with Store(tmp_path / "pool.db") as store:
        assert store.people.put(ANN).result()
        assert store.people.put(Person(name="Abe")).result()
        assert store.people.put(Person(name="bob"), only_new=True).result()
    with Store(tmp_path / "pool.db") as store:
        assert store.people.all() == (Person(name="Abe"), ANN, Person(name="bob"))


def test_nobody_is_added_twice_in_whatever_case(tmp_path: Path) -> None:
    with Store(tmp_path / "pool.db") as store:
        store.people.put(ANN).result()
        assert not store.people.put(Person(name="Ann"), only_new=True).result()
        assert store.people.all() == (ANN,)


def test_a_key_has_a_person_a_label_and_an_end(tmp_path: Path) -> None:
    made = key("ann-laptop", "ann", label="laptop", created_at=NOW, expires_at=NOW + 9)
    with Store(tmp_path / "pool.db") as store:
        put(store, made, key("loose", created_at=NOW + 1))
        assert store.people.client_keys() == (made, key("loose", created_at=NOW + 1))
        assert store.client_keys() == {made.digest: "ann-laptop", fingerprint("secret of loose"): "loose"}
        store.people.used({made.digest: NOW + 5, "gone": NOW}).result()
        store.people.used({made.digest: NOW + 4}).result()
        assert store.people.client_keys()[0].used_at == NOW + 5
        store.people.give_keys(("loose",), "ann").result()
        assert [each.person for each in store.people.client_keys()] == ["ann", "ann"]


def test_another_secret_for_a_key_takes_the_old_one_back(tmp_path: Path) -> None:
    with Store(tmp_path / "pool.db") as store:
        put(store, key("ann"))
        store.people.put_key(key("ann", "ann"), "new").result()
        assert store.client_keys() == {fingerprint("new"): "ann"}
        assert store.removed_keys() == {fingerprint("secret of ann"): "ann"}


def test_somebody_who_is_removed_takes_their_keys_along(tmp_path: Path) -> None:
    with Store(tmp_path / "pool.db") as store:
        store.people.put(ANN).result()
        put(store, key("ann-1", "ann"), key("ann-2", "ann"), key("bob", "bob"))
        assert store.people.remove("ann").result() == ("ann-1", "ann-2")
        assert (store.people.all(), list(store.client_keys().values())) == ((), ["bob"])
        assert set(store.removed_keys().values()) == {"ann-1", "ann-2"}


def test_other_openers_notice_a_change(tmp_path: Path) -> None:
    with Store(tmp_path / "pool.db") as one, Store(tmp_path / "pool.db") as other:
        assert not other.changed_by_others()
        one.people.put(ANN).result()
        assert other.changed_by_others()
        assert other.people.all() == (ANN,)


def test_keys_of_a_file_without_people_go_on_working(tmp_path: Path) -> None:
    path = tmp_path / "home" / "pool.db"
    old_pool(path, BEFORE_PEOPLE, credentials())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO client_key VALUES (?, 'ann', ?)", (fingerprint("secret of ann"), NOW))
    with Store(path) as store:
        assert store.people.all() == ()
        assert store.people.client_keys() == (key("ann", created_at=NOW),)
        assert store.client_keys() == {fingerprint("secret of ann"): "ann"}
