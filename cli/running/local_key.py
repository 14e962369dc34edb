"""The client key of the owner's own commands on this machine, where the proxy serves nobody without one."""

from pathlib import Path
from typing import Final

from accounts.people.keys import LOCAL, new_secret
from accounts.store.store import Store
from config import access, clock, paths
from config.errors import RotateError
from config.files import write_private
from config.network import peer_credentials

NOW_CLOSED: Final = (
    "From now on clients on this machine need a key too. `run`, `env` and `bind` put in one of their own; those that "
    "run already, and a client that is bound, have to be started or bound again."
)


class LocalKeyUnwritable(RotateError):
    def __init__(self, file: Path, trouble: str) -> None:
        super().__init__(f"{file} cannot be written ({trouble}), so no key was made. Check its folder and the disk.")


def put(store: Store, file: Path, now: float) -> None:
    """A new one. Raises LocalKeyUnwritable."""
    secret = new_secret()
    try:
        paths.make_private_folder(file.parent)
        write_private(file, secret.encode())
    except OSError as e:
        raise LocalKeyUnwritable(file, e.strerror or str(e)) from e
    store.put_client_key(LOCAL, secret, now).result()


def before_others(store: Store, file: Path, now: float) -> None:
    """Somebody else is about to get a key: from the first one on, our own commands need one too. Raises
    LocalKeyUnwritable."""
    known = set(store.client_keys().values())
    if (not known - {LOCAL} and LOCAL not in known) or not access.seen(file):
        put(store, file, now)


def ensure(store: Store, file: Path, *, told: bool | None = None) -> bool:
    """Where the system does not say whose a connection is, the owner needs a key as well: made if there is none.

    `told`: whether it says so; None asks it. True when one was made. Raises LocalKeyUnwritable.
    """
    if peer_credentials.can_tell() if told is None else told:
        return False
    if access.seen(file) and LOCAL in store.client_keys().values():
        return False
    put(store, file, clock.now())
    return True
