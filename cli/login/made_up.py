"""A made-up login for one of `people`, with which their client needs no account of its own."""

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from accounts.errors import UsageError
from accounts.logins.export import write_login
from accounts.owner.people import find_person, free_key_name
from accounts.people.keys import LOCAL, ClientKey, new_secret
from accounts.people.virtual_login import login_document
from accounts.store.store import Store
from cli.running import local_key
from cli.ui.result import Result
from config.times.local_time import clock_time

LABEL: Final = "login"
SHOWN_ONCE: Final = "That is the login of {name}, shown this once: save it as auth.json in the folder of their client."
WORTH: Final = "It is worth nothing but at a proxy of this pool, where it is also the key {key}. Keep it like one."


def make_login(
    store: Store, local_file: Path, name: str, now: float, asked: tuple[float | None, Path | None]
) -> Result:
    """`asked` is when it ends (None: never), and the file (None: it is printed). Raises UsageError for a file that is
    there, UnknownPerson, CannotExport, and LocalKeyUnwritable; then nothing was made."""
    ends, out = asked
    if out is not None and os.path.lexists(out):
        raise UsageError(f"{out} is there already and was left as it is, and no login was made. Choose another file.")
    person = find_person(store.people.all(), name).name
    names = store.client_keys().values()
    first = not set(names) - {LOCAL}
    key = ClientKey(
        name=free_key_name(person, LABEL, names), digest="", person=person, label=LABEL, created_at=now, expires_at=ends
    )
    local_key.before_others(store, local_file, now)
    secret = new_secret()
    document = login_document(person, secret, now)
    with ExitStack() as undoing:
        if out is not None:
            write_login(out, document)  # first: where that fails, no key is left behind
            undoing.callback(out.unlink, missing_ok=True)
        store.people.put_key(key, secret).result()
        undoing.pop_all()
    until = (f"It is good until {clock_time(ends, now)}.",) if ends is not None else ()
    data: dict[str, object] = {"person": person, "key": key.name, "expires_at": ends, "first": first}
    notes = (*until, WORTH.format(key=key.name), *((local_key.NOW_CLOSED,) if first else ()))
    if out is None:
        told = json.dumps(document, indent=2)
        return Result(told, data | {"file": None, "login": document}, notes=(SHOWN_ONCE.format(name=person), *notes))
    told = f"{out} is the login of {person}: it goes into the folder of their client as auth.json."
    return Result(told, data | {"file": str(out), "login": None}, notes=notes)
