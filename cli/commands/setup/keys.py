"""`keys`: who may use the proxy. With none, the user who runs it; from the first one on, only those with a key."""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from accounts.errors import UsageError
from accounts.logins.export import put_text
from accounts.owner.expiry import read_expiry
from accounts.owner.people import checked_name, find_key, find_person, free_key_name
from accounts.people.keys import LOCAL, ClientKey, new_secret
from accounts.store.store import Store
from accounts.views.people import key_data, stored_keys
from certs.environment import DEFAULT_PROXY, proxy_at, read_trusted, trusted_file
from cli.running import leading, local_key
from cli.running.proxies import address
from cli.ui.keys import keys_table
from cli.ui.known_names import complete_client_key, complete_person
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, join_file, paths
from config.errors import RotateError
from config.join_file import Invitation
from config.network import peer_credentials
from config.network.hosts import is_loopback
from config.times.local_time import clock_time
from config.times.time_zone import local_zone

SHOWN_ONCE: Final = "It is shown this once; the pool keeps only what it is recognised by."
NOW_OPEN: Final = "No key is left: the user who runs the proxy may use it again without one, and nobody else."
NO_KEYS: Final = "There are no keys: the user who runs the proxy may use it, and nobody else."

LONGEST_LABEL: Final = 40
SERVED: Final = proxy_at(DEFAULT_PROXY).port

Name = Annotated[
    str | None,
    typer.Argument(
        help="Whose it is: letters, digits, dots, dashes and underscores. With --person it may be left out."
    ),
]
KnownName = Annotated[str, typer.Argument(help="Whose it is.", autocompletion=complete_client_key)]
Host = Annotated[str, typer.Option("--host", help="Make a key file for `join`: this machine, as its owner reaches it.")]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="In the key file. Default: the port of the proxy that runs.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the key file here.")]
Expires = Annotated[
    str, typer.Option("--expires", metavar="TIME", help="For how long it is good: 30d, 12h, 2w, or until a day.")
]


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
    group.command("rotate")(rotate_command)
    group.command("remove")(remove_command)
    app.add_typer(group, name="keys")


# --- parsing ---------------------------------------------------------------------------------------------------------


def add_command(  # noqa: PLR0913 - an option each
    name: Name = None,
    *,
    person: Annotated[
        str, typer.Option("--person", metavar="NAME", help="Who has it, of `people`.", autocompletion=complete_person)
    ] = "",
    label: Annotated[str, typer.Option("--label", help="What it is for, such as a machine.")] = "",
    expires: Expires = "",
    host: Host = "",
    port: Port = 0,
    out: Out = None,
    as_json: AsJson = False,
) -> Result:
    """Make a key and show it, once; with --host as a small file for `codex-rotate join`."""
    if name is None and not person:
        raise UsageError("Say whose key it is: `codex-rotate keys add NAME`, or --person NAME for one of `people`.")
    if name is not None:
        checked_name(name, "A key")
    if len(label) > LONGEST_LABEL or not label.isprintable():
        raise UsageError(f"A label has at most {LONGEST_LABEL} visible characters. Choose another one.")
    now = clock.now()
    wanted, ends = _wanted(host, port, out), read_expiry(expires, now, local_zone()) if expires else None
    with Store(paths.pool_file()) as store:
        key = ClientKey(name=name or "", digest="", person=person, label=label, created_at=now, expires_at=ends)
        return add_key(store, paths.client_key_file(), _named(store, key), now, wanted)


def rotate_command(  # noqa: PLR0913 - an option each
    name: KnownName,
    *,
    expires: Expires = "",
    host: Host = "",
    port: Port = 0,
    out: Out = None,
    as_json: AsJson = False,
) -> Result:
    """Make another key in the place of one, whose clients are refused from their next request on.

    Without --expires it is good for as long as the one before it was.
    """
    now = clock.now()
    wanted, ends = _wanted(host, port, out), read_expiry(expires, now, local_zone()) if expires else None
    with Store(paths.pool_file()) as store:
        return rotate_key(store, paths.client_key_file(), name, now, (ends, wanted))


def _wanted(host: str, port: int, out: Path | None) -> "Wanted | None":
    """The key file that is asked for, None for none."""
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
    return wanted


def list_command(*, as_json: AsJson = False) -> Result:
    """Show the keys: whose each is, until when it is good, and when it was last used."""
    with Store(paths.pool_file()) as store:
        return list_keys(store, clock.now())


def remove_command(name: KnownName, *, as_json: AsJson = False) -> Result:
    """Take a key back: its clients are refused from their next request on."""
    with Store(paths.pool_file()) as store:
        return remove_key(store, paths.client_key_file(), name)


# --- working ---------------------------------------------------------------------------------------------------------


def add_key(store: Store, local_file: Path, key: ClientKey, now: float, wanted: Wanted | None = None) -> Result:
    """A new key; with the first one, one for our own commands on this machine."""
    known = set(store.client_keys().values())
    if key.name in known:
        raise KeyThere(key.name)
    first = not known - {LOCAL}
    made = _made(store, local_file, key, now, wanted)
    data = {**made.data, "first": first} if isinstance(made.data, dict) else made.data
    return replace(made, data=data, notes=(*made.notes, local_key.NOW_CLOSED)) if first else replace(made, data=data)


def rotate_key(
    store: Store, local_file: Path, name: str, now: float, asked: tuple[float | None, Wanted | None]
) -> Result:
    """Another key of the same name, person and label. `asked` is when it expires, and the key file that is wanted."""
    before = find_key(store.people.client_keys(), name)
    ends, wanted = asked
    if ends is None and before.expires_at is not None:
        ends = now + before.expires_at - before.created_at
    made = _made(store, local_file, replace(before, created_at=now, expires_at=ends, used_at=None), now, wanted)
    return replace(made, notes=(*made.notes, f"The key that {name} had before is refused from now on."))


def _named(store: Store, key: ClientKey) -> ClientKey:
    """The key with the name of somebody there is, and one of its own."""
    if not key.person:
        return key
    person = find_person(store.people.all(), key.person).name
    name = key.name or free_key_name(person, key.label, store.client_keys().values())
    return replace(key, name=name, person=person)


def _made(store: Store, local_file: Path, key: ClientKey, now: float, wanted: Wanted | None) -> Result:
    """The key, with a secret of its own, as it is handed over."""
    led = leading.own(os.environ, stays=True)
    certificate = _certificate(led, now) if wanted is not None else b""
    local_key.before_others(store, local_file, now)
    secret = new_secret()
    data: dict[str, object] = {"name": key.name, "key": secret, "file": None, "address": led.proxy.shown}
    data |= {"person": key.person or None, "label": key.label or None, "expires_at": key.expires_at}
    if wanted is None:
        store.people.put_key(key, secret).result()
        does = f"That is what {key.name} sets, with the host and port of the proxy. {SHOWN_ONCE}"
        message = f"HTTPS_PROXY={address(led.proxy.shown, secret)}\n{does}"
        return Result(message, data, notes=_until(key, now))
    port = wanted.port or led.proxy.port
    invitation = Invitation(host=wanted.host, port=port, name=key.name, key=secret, certificate=certificate.decode())
    handed = _handed_over(invitation, wanted, data)  # first: where that fails, what was there is as good as before
    try:
        store.people.put_key(key, secret).result()
    except RotateError:
        if wanted.out is not None:
            wanted.out.unlink(missing_ok=True)
        raise
    return replace(handed, notes=(*handed.notes, *_reach(wanted, led, port), *_until(key, now)))


def _until(key: ClientKey, now: float) -> tuple[str, ...]:
    if key.expires_at is None:
        return ()
    return (f"It is good until {clock_time(key.expires_at, now)}.",)


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


def list_keys(store: Store, now: float) -> Result:
    """What is known of the keys; the keys themselves are not known here."""
    keys = stored_keys(store)
    if not keys:
        return Result(NO_KEYS, {"keys": [], "details": []})
    data = {"keys": [each.name for each in keys], "details": [key_data(each, now) for each in keys]}
    return Result("", data, table=keys_table(keys, now))


def remove_key(store: Store, local_file: Path, name: str) -> Result:
    """Forget a key; with the last one, the one of our own commands as well."""
    find_key(store.people.client_keys(), name)
    store.remove_client_key(name).result()
    left = set(store.client_keys().values()) - {LOCAL}
    if not left and peer_credentials.can_tell():
        store.remove_client_key(LOCAL).result()
        with suppress(OSError):
            local_file.unlink()
    message = f"{name} may no longer use the proxy."
    return Result(message, {"removed": name, "left": sorted(left)}, notes=() if left else (NOW_OPEN,))
