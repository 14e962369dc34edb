"""People as commands show them: with their keys, and their accounts by the names that are typed."""

from pathlib import Path

from accounts.people.keys import LOCAL, ClientKey
from accounts.people.people import Person
from accounts.store.store import Store
from accounts.views.people import is_expired, key_data, person_data, stored_keys, stored_people
from tests.builders import NOW, account, credentials, key_of


def test_everybody_with_their_keys_and_accounts(tmp_path: Path) -> None:
    with Store(tmp_path / "pool.db") as store:
        store.put_account(account("work"), credentials("work")).result()
        store.people.put(Person(name="bob")).result()
        store.people.put(Person(name="ann", accounts=(key_of("work"), "#team"))).result()
        for name, person in (("ann-1", "ann"), ("ann-2", "ann"), ("loose", ""), (LOCAL, "")):
            key = ClientKey(name=name, digest="", person=person, created_at=NOW, expires_at=NOW + 1)
            store.people.put_key(key, name).result()
        views = stored_people(store)
        found = [(each.person.name, [key.name for key in each.keys], each.accounts) for each in views]
        assert found == [("ann", ["ann-1", "ann-2"], ("work", "#team")), ("bob", [], ())]
        assert [each.name for each in stored_keys(store)] == ["ann-1", "ann-2", "loose"]
        told = person_data(views[0], NOW)
    assert (told["share_percent"], told["at_once"], told["tokens"]) == (None, None, [])
    assert [each["expired"] for each in told["keys"]] == [False, False]  # type: ignore[attr-defined]


def test_a_key_is_expired_from_its_end_on() -> None:
    key = ClientKey(name="ann", digest="secret digest", expires_at=NOW)
    assert is_expired(key, NOW)
    assert not is_expired(key, NOW - 1)
    assert not is_expired(ClientKey(name="ann", digest=""), NOW)
    assert "secret digest" not in str(key_data(key, NOW)) + repr(key)
