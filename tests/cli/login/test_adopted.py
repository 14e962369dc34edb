"""What is told of a login that came into the pool: what became of it, and the next command."""

from pathlib import Path

from accounts.logins.adopting import ImportOptions
from accounts.logins.auth_file import Login
from accounts.store.store import Store
from cli.login.adopted import NEXT_STEP, import_login
from tests.builders import account, credentials


def test_the_result_names_the_account_and_the_next_step(home: Path) -> None:
    with Store(home / "pool.db") as store:
        login = Login(account=account("ann"), credentials=credentials("ann"))
        told = import_login(store, login, ImportOptions(), 10.0)
        again = import_login(store, login, ImportOptions(), 20.0)
    assert told.message == f"ann was added to the pool. Use it: {NEXT_STEP}"
    assert isinstance(told.data, dict)
    assert (told.data["result"], told.data["known"], told.data["next"]) == ("imported", False, NEXT_STEP)
    assert isinstance(again.data, dict)
    assert again.data["known"] is True
