"""An account leaves the pool; what else was about it is told."""

from collections.abc import Callable

from accounts.owner.removal import remove
from accounts.store.backups import Backups
from accounts.store.store import Store
from tests.builders import NOW, key_of

type History = Callable[[], list[tuple[str, str]]]


def backups(store: Store) -> Backups:
    return Backups(store.path, store.path.with_name("backups"))


def test_an_account_goes_with_its_login_and_is_in_the_history(store: Store, history: History) -> None:
    ann, _ = store.accounts()
    assert remove(store, backups(store), ann, NOW).consequences == ""
    assert [each.label for each in store.accounts()] == ["bob"]
    assert store.credentials(ann.key) is None
    assert history() == [("removed", "ann")]


def test_that_everybody_used_it_is_told(store: Store) -> None:
    store.choose_account(key_of("ann")).result()
    done = remove(store, backups(store), store.accounts()[0], NOW, logged_out=True)
    assert done.was_chosen
    assert done.consequences.endswith("the pool chooses again.")


def test_backups_that_cannot_be_seen_do_not_keep_it(store: Store) -> None:
    store.path.with_name("backups").write_text("not a folder")
    assert remove(store, backups(store), store.accounts()[0], NOW).backups == ()
