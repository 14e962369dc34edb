"""What a person and a program are told of a login that was put into the pool."""

from typing import Final

from accounts.logins.adopting import Adopted, ImportOptions, adopt
from accounts.logins.auth_file import Login
from accounts.store.store import Store
from cli.ui.result import Result
from cli.ui.words.states import described

NEXT_STEP: Final = "codex-rotate run codex"


def import_login(store: Store, login: Login, options: ImportOptions, now: float) -> Result:
    """Put a login into the pool, and tell. Raises what `adopt` raises."""
    done = adopt(store, login, options, now)
    return Result(f"{done.words} Use it: {NEXT_STEP}", as_data(done, now) | {"next": NEXT_STEP})


def as_data(done: Adopted, now: float) -> dict[str, object]:
    return {
        "result": done.kind,
        "known": done.kind != "imported",
        "account": described(done.number, done.account, done.state, now),
    }
