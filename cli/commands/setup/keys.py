"""`keys`: who may use the proxy. With none, the user who runs it; from the first one on, only those with a key."""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from accounts.errors import UsageError
from accounts.logins.export import put_text
from accounts.people.keys import LOCAL, NAME, new_secret
from accounts.store.store import Store
from certs.environment import DEFAULT_PROXY, proxy_at, read_trusted, trusted_file
from cli.running import leading, local_key
from cli.running.proxies import address
from cli.ui.known_names import complete_client_key
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import access, clock, join_file, paths
from config.errors import RotateError
from config.join_file import Invitation
from config.network import peer_credentials
from config.network.hosts import is_loopback

SHOWN_ONCE: Final = "It is shown this once; the pool keeps only what it is recognised by."
NOW_CLOSED: Final = (
    "From now on clients on this machine need a key too. `run`, `env` and `bind` put in one of their own; those that "
    "run already, and a client that is bound, have to be started or bound again."
)
NOW_OPEN: Final = "No key is left: the user who runs the proxy may use it again without one, and nobody else."
NO_KEYS: Final = "There are no keys: the user who runs the proxy may use it, and nobody else."

SERVED: Final = proxy_at(DEFAULT_PROXY).port

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A key file: the host that its owner reaches the proxy at, the port (0: that of the proxy which runs), and where
    to write it (None: it is printed)."""

    host: str
    port: int = 0
    out: Path | None = None


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="Keys of clients: with one in the pool, nobody uses the proxy without.")
    group.command("add")(add_command)
    group.command("list")(list_command)
    group.command("remove")(remove_command)
    app.add_typer(group, name="keys")


# --- parsing ---------------------------------------------------------------------------------------------------------


def add_command(
    name: Name,
    *,
    host: Annotated[
        str, typer.Option("--host", help="Make a key file for `join`: this machine, as NAME reaches it.")
    ] = "",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="In the key file. Default: the port of the proxy that runs.")
    ] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the key file here.")] = None,
    as_json: AsJson = False,
) -> Result:
    """Make a key and show it, once; with --host as a small file for `codex-rotate join`."""
    if not NAME.fullmatch(name) or name == LOCAL:
        why = "is kept for codex-rotate itself" if name == LOCAL else "has other characters in it, or too many"
        raise UsageError(f"A key cannot be called {name!r}: that name {why}. Choose another one.")
    if not host and (port or out):
        raise UsageError("--port and --out are for a key file. Add --host HOST: this machine, as its owner reaches it.")
    wanted = None
    if host:
        try:
            wanted = Wanted(host=join_file.host_of(host), port=port, out=out)
        except ValueError as e:
            raise UsageError(f"--host {host!r} {e}. Give it without a port, such as pool.example or 127.0.0.1.") from e
    if out is not None and os.path.lexists(out):
        raise UsageError(f"{out} is there already and was left as it is, and no key was made. Choose another file.")
    with Store(paths.pool_file()) as store:
        return add_key(store, paths.client_key_file(), name, clock.now(), wanted)


def list_command(*, as_json: AsJson = False) -> Result:
    """Show the names of the keys."""
    with Store(paths.pool_file()) as store:
        return list_keys(store)


def remove_command(name: KnownName, *, as_json: AsJson = False) -> Result:
    """Take a key back: its clients are refused from their next request on."""
    with Store(paths.pool_file()) as store:
        return remove_key(store, paths.client_key_file(), name)


# --- working ---------------------------------------------------------------------------------------------------------


def add_key(store: Store, local_file: Path, name: str, now: float, wanted: Wanted | None = None) -> Result:
    """A new key; with the first one, one for our own commands on this machine."""
    known = set(store.client_keys().values())
    if name in known:
        raise KeyThere(name)
    led = leading.own(os.environ, stays=True)
    certificate = _certificate(led, now) if wanted is not None else b""
    first = not known - {LOCAL}
    if (first and LOCAL not in known) or not access.seen(local_file):
        local_key.put(store, local_file, now)
    secret = new_secret()
    store.put_client_key(name, secret, now).result()
    data: dict[str, object] = {"name": name, "key": secret, "first": first, "file": None, "address": led.proxy.shown}
    notes = (NOW_CLOSED,) if first else ()
    if wanted is None:
        shown = address(led.proxy.shown, secret)
        message = f"HTTPS_PROXY={shown}\nThat is what {name} sets, with the host and port of the proxy. {SHOWN_ONCE}"
        return Result(message, data, notes=notes)
    port = wanted.port or led.proxy.port
    invitation = Invitation(host=wanted.host, port=port, name=name, key=secret, certificate=certificate.decode())
    try:
        handed = _handed_over(invitation, wanted, data)
    except (RotateError, OSError):
        store.remove_client_key(name).result()
        raise
    return replace(handed, notes=(*handed.notes, *_reach(wanted, led, port), *notes))


def _certificate(led: leading.Led, now: float) -> bytes:
    """What clients of our proxy are to trust. Where none runs, the one that `serve` will use is made if need be."""
    from certs import ca, given  # late: cryptography

    if not led.answers:
        ca.ensure(led.folder, now)
    return given.checked(read_trusted(trusted_file(led.folder)), now)


def _handed_over(invitation: Invitation, wanted: Wanted, data: dict[str, object]) -> Result:
    text = join_file.written(invitation)
    data |= {"address": invitation.url}
    if wanted.out is None:
        note = f"That is the key file of {invitation.name}, shown this once: save it where nobody else can read it."
        return Result(text.rstrip("\n"), data | {"text": text}, notes=(note,))
    put_text(wanted.out, text)
    message = (
        f"{wanted.out} is the key file of {invitation.name}, who runs `codex-rotate join` with it. Hand it over where "
        "nobody else can read it, and delete it here."
    )
    return Result(message, data | {"key": None, "file": str(wanted.out), "text": None})


def _reach(wanted: Wanted, led: leading.Led, port: int) -> tuple[str, ...]:
    """What has to hold for the file to be of use."""
    elsewhere = not is_loopback(wanted.host)
    listen = f" --listen 0.0.0.0:{port}" if elsewhere else "" if port == SERVED else f" --listen 127.0.0.1:{port}"
    start = f"`codex-rotate serve{listen}`"
    if not led.answers:
        return (f"No proxy of yours runs. Start it, for port {port} that the file names: {start}.",)
    if elsewhere:
        return (f"From other machines the proxy is reached only if it listens to the network: {start}.",)
    return ()


def list_keys(store: Store) -> Result:
    """The names; the keys themselves are not known here."""
    names = [name for name in store.client_keys().values() if name != LOCAL]
    if not names:
        return Result(NO_KEYS, {"keys": []})
    table = Table(columns=("key",), rows=tuple((name,) for name in names))
    return Result("", {"keys": names}, table=table)


def remove_key(store: Store, local_file: Path, name: str) -> Result:
    """Forget a key; with the last one, the one of our own commands as well."""
    if name == LOCAL or not store.remove_client_key(name).result():
        raise UnknownKey(name)
    left = set(store.client_keys().values()) - {LOCAL}
    if not left and peer_credentials.can_tell():
        store.remove_client_key(LOCAL).result()
        with suppress(OSError):
            local_file.unlink()
    message = f"{name} may no longer use the proxy."
    return Result(message, {"removed": name, "left": sorted(left)}, notes=() if left else (NOW_OPEN,))
