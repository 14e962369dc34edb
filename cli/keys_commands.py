"""`keys`: who may use the proxy. With none, everybody on this machine; from the first one on, only those with a key."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from accounts.client_keys import LOCAL, NAME, new_secret
from accounts.errors import RotateError, UsageError
from accounts.store import Store
from cli.known_names import complete_client_key
from cli.options import AsJson
from cli.proxies import address
from cli.result import Result, Table
from cli.serve_commands import LISTEN
from config import clock, paths
from config.files import write_private

SHOWN_ONCE: Final = "It is shown this once; the pool keeps only what it is recognised by."
NOW_CLOSED: Final = (
    "From now on clients on this machine need a key too. `run`, `env` and `bind` put in one of their own; those that "
    "run already, and a client that is bound, have to be started or bound again."
)
NOW_OPEN: Final = "No key is left: everybody on this machine may use the proxy again, and nobody else."

Name = Annotated[str, typer.Argument(help="Whose it is: letters, digits, dots, dashes and underscores.")]

KnownName = Annotated[str, typer.Argument(help="Whose it is.", autocompletion=complete_client_key)]


class UnknownKey(UsageError):
    def __init__(self, name: str) -> None:
        super().__init__(f"There is no key {name!r}. Run `codex-rotate keys list` to see the names.")


class KeyThere(UsageError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is a key {name!r} already, and it cannot be shown again. Run `codex-rotate keys remove {name}` "
            "first, or choose another name."
        )


class LocalKeyUnwritable(RotateError):
    def __init__(self, file: Path, trouble: str) -> None:
        super().__init__(f"{file} cannot be written ({trouble}), so no key was made. Check its folder and the disk.")


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="Keys of clients: with one in the pool, nobody uses the proxy without.")
    group.command("add")(add_command)
    group.command("list")(list_command)
    group.command("remove")(remove_command)
    app.add_typer(group, name="keys")


# --- parsing ---------------------------------------------------------------------------------------------------------


def add_command(name: Name, *, as_json: AsJson = False) -> Result:
    """Make a key and show it, once."""
    if not NAME.fullmatch(name) or name == LOCAL:
        why = "is kept for codex-rotate itself" if name == LOCAL else "has other characters in it, or too many"
        raise UsageError(f"A key cannot be called {name!r}: that name {why}. Choose another one.")
    with Store(paths.pool_file()) as store:
        return add_key(store, paths.client_key_file(), name, clock.now())


def list_command(*, as_json: AsJson = False) -> Result:
    """Show the names of the keys."""
    with Store(paths.pool_file()) as store:
        return list_keys(store)


def remove_command(name: KnownName, *, as_json: AsJson = False) -> Result:
    """Take a key back: its clients are refused from their next request on."""
    with Store(paths.pool_file()) as store:
        return remove_key(store, paths.client_key_file(), name)


# --- working ---------------------------------------------------------------------------------------------------------


def add_key(store: Store, local_file: Path, name: str, now: float) -> Result:
    """A new key; with the first one, one for our own commands on this machine."""
    known = set(store.client_keys().values())
    if name in known:
        raise KeyThere(name)
    first = not known - {LOCAL}
    if first or not local_file.exists():
        _put_local(store, local_file, now)
    secret = new_secret()
    store.put_client_key(name, secret, now).result()
    led = address(f"http://{LISTEN}", secret)
    message = f"HTTPS_PROXY={led}\nThat is what {name} sets, with the host and port of the proxy. {SHOWN_ONCE}"
    notes = (NOW_CLOSED,) if first else ()
    return Result(message, {"name": name, "key": secret, "first": first}, notes=notes)


def list_keys(store: Store) -> Result:
    """The names; the keys themselves are not known here."""
    names = [name for name in store.client_keys().values() if name != LOCAL]
    if not names:
        return Result("There are no keys: everybody on this machine may use the proxy, and nobody else.", {"keys": []})
    table = Table(columns=("key",), rows=tuple((name,) for name in names))
    return Result("", {"keys": names}, table=table)


def remove_key(store: Store, local_file: Path, name: str) -> Result:
    """Forget a key; with the last one, the one of our own commands as well."""
    if name == LOCAL or not store.remove_client_key(name).result():
        raise UnknownKey(name)
    left = set(store.client_keys().values()) - {LOCAL}
    if not left:
        store.remove_client_key(LOCAL).result()
        with suppress(OSError):
            local_file.unlink()
    message = f"{name} may no longer use the proxy."
    return Result(message, {"removed": name, "left": sorted(left)}, notes=() if left else (NOW_OPEN,))


def _put_local(store: Store, file: Path, now: float) -> None:
    secret = new_secret()
    try:
        paths.make_private_folder(file.parent)
        write_private(file, secret.encode())
    except OSError as e:
        raise LocalKeyUnwritable(file, e.strerror or str(e)) from e
    store.put_client_key(LOCAL, secret, now).result()
