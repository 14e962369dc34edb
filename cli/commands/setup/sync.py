"""`sync`: the pool and the official client's own files learn from each other."""

import os
from dataclasses import replace
from typing import Annotated

import typer

from accounts.codex_files import codex_home
from accounts.codex_files.client_files import Places, Writer, places
from accounts.codex_files.reconcile import Changes, by_legacy, reconcile, shown_counters, switched_off
from accounts.model import Account
from accounts.owner.names import find_account
from accounts.store.store import Store
from accounts.tokens.locks import AccountLocks
from cli.running.client_login import OWN_LOGIN
from cli.ui.known_names import complete_account
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths
from config.times.local_time import clock_time

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]

TWO_OWNERS = (
    "From now on the client and the pool share one login, whose refresh token works only once. While a proxy runs, "
    "each side takes over what the other one refreshes. Restart a client that is running."
)
NO_FILES = "The official client has no login: neither {accounts} nor {auth} is there. Nothing was changed."


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=False)
    group.command("pull")(pull_command)
    group.command("push")(push_command)
    group.command("status")(status_command)
    app.add_typer(group, name="sync", help="Exchange logins with the official client's own files.")


# --- parsing ---------------------------------------------------------------------------------------------------------


def pull_command(*, dry_run: DryRun = False, as_json: AsJson = False) -> Result:
    """Take over the client's logins: new accounts, and newer tokens of known ones. The client's files are only read."""
    if off := switched_off(os.environ):
        return switched_off_result(off)
    with Store(paths.pool_file()) as store:
        count_legacy(store)
        return replace(pull(store, places(), clock.now(), dry_run=dry_run), notes=store.repairs)


def push_command(
    account: Annotated[
        str,
        typer.Argument(
            help="Which account. Default: the one the pool would use next.", autocompletion=complete_account
        ),
    ] = "",
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> Result:
    """Make an account of the pool the client's own login. Writes the client's files."""
    if off := switched_off(os.environ):
        return switched_off_result(off)
    with Store(paths.pool_file()) as store:
        count_legacy(store)
        now = clock.now()
        chosen = find_account(store.accounts(), account) if account else codex_home.first_usable(store, now)
        if dry_run:
            result = try_push(store, places(), chosen, now)
        else:
            result = push(store, places(), chosen, Writer(pause=clock.pause), now)
        return replace(result, notes=store.repairs)


def status_command(*, as_json: AsJson = False) -> Result:
    """Show what the client's files hold, which side has newer tokens, and how often they were read and written."""
    if off := switched_off(os.environ):
        return switched_off_result(off)
    with Store(paths.pool_file()) as store:
        count_legacy(store)
        return replace(status(store, places(), clock.now()), notes=store.repairs)


def switched_off_result(name: str) -> Result:
    return Result(
        f"The sync is switched off by {name} in the environment, so nothing was done. Unset it to switch it on.",
        {"enabled": False, "switched_off_by": name},
    )


def count_legacy(store: Store) -> None:
    if by_legacy(os.environ):
        store.count("legacy_sync_env_uses")


# --- working ---------------------------------------------------------------------------------------------------------


def pull(store: Store, files: Places, now: float, *, dry_run: bool = False) -> Result:
    """What the client has and the pool lacks, in the pool."""
    _, _, client = codex_home.read_places(store, files)
    if client is None:
        message = NO_FILES.format(accounts=files.accounts, auth=files.auth)
        return Result(message, _as_data(store, Changes(), dry_run=dry_run))
    work = codex_home.preview if dry_run else codex_home.pull
    changes = work(store, client, now)
    return Result(_told(store, changes, dry_run=dry_run), _as_data(store, changes, dry_run=dry_run))


def push(store: Store, files: Places, account: Account, writer: Writer, now: float) -> Result:
    """The account in the client's files."""
    with AccountLocks(paths.locks_folder()).account(account.key):  # a refresh under way would make it an old copy
        changes = codex_home.push(store, files, account, writer, now)
    data = _pushed_data(store, files, account, changes)
    return Result(f"{_named(account)} is now the official client's login, in {files.auth}. {TWO_OWNERS}", data)


def try_push(store: Store, files: Places, account: Account, now: float) -> Result:
    """What `push` would do."""
    changes = codex_home.check_push(store, files, account, now)
    data = {**_pushed_data(store, files, account, changes), "dry_run": True}
    return Result(f"{_named(account)} would become the official client's login, in {files.auth}.", data)


def status(store: Store, files: Places, now: float) -> Result:
    """Both sides in a few lines."""
    accounts, auth, client = codex_home.read_places(store, files)
    store.flush()
    state, last = codex_home.pool_state(store), codex_home.last_push(store)
    changes = reconcile(state, client, now) if client else Changes()
    labels = _labels(store)
    found = {"accounts": (files.accounts, accounts), "auth": (files.auth, auth)}
    lines = [f"{path}  {'found' if read else 'not there'}" for path, read in found.values()]
    lines.append(_told(store, changes, dry_run=True))
    held = {*changes.kept, *(each.account.key for each in changes.renewals)}
    shared = sorted(labels[key] for key in held if key in labels and not state.credentials[key].own)
    if shared:
        lines.append(f"Shared with the client: {', '.join(shared)}. {OWN_LOGIN}")
    if last:
        lines.append(f"Last pushed: {labels.get(last.key, last.detail)}, {clock_time(last.at, now)}")
    data = {
        "enabled": True,
        "files": {name: {"path": str(path), "found": read is not None} for name, (path, read) in found.items()},
        **_as_data(store, changes, dry_run=True),
        "shared": shared,
        "last_push": {"at": last.at, "account": labels.get(last.key)} if last else None,
        "counters": shown_counters(store.counters()),
    }
    return Result("\n".join(lines), data)


def _told(store: Store, changes: Changes, *, dry_run: bool) -> str:
    labels = _labels(store)
    added = [_label(labels, each.account) for each in changes.adds]
    renewed = [labels.get(each.account.key, each.account.label) for each in changes.renewals]
    lines = []
    if added:
        lines.append(f"{'To be added' if dry_run else 'Added'}: {', '.join(added)}.")
    if renewed:
        verb = "To be renewed with the client's tokens" if dry_run else "Renewed with the client's tokens"
        lines.append(f"{verb}: {', '.join(renewed)}.")
    if not lines:
        lines.append("The pool has everything that the client has: nothing to take over.")
    if changes.active:
        names = labels | {
            each.account.key: each.account.label for each in changes.adds if each.account.key not in labels
        }
        lines.append(f"The client uses {names.get(changes.active, changes.active)}.")
    return " ".join(lines)


def _as_data(store: Store, changes: Changes, *, dry_run: bool) -> dict[str, object]:
    labels = _labels(store)
    return {
        "dry_run": dry_run,
        "added": [_label(labels, each.account) for each in changes.adds],
        "renewed": [labels.get(each.account.key, each.account.label) for each in changes.renewals],
        "kept": [labels.get(key, key) for key in changes.kept],
        "active": labels.get(changes.active, changes.active) if changes.active else None,
    }


def _pushed_data(store: Store, files: Places, account: Account, changes: Changes) -> dict[str, object]:
    adopted = _as_data(store, changes, dry_run=False)["renewed"]
    return {"dry_run": False, "pushed": account.label, "account_id": account.account_id, "file": str(files.auth),
            "adopted": adopted}  # fmt: skip


def _labels(store: Store) -> dict[str, str]:
    return {each.key: each.label for each in store.accounts()}


def _label(labels: dict[str, str], account: Account) -> str:
    return labels.get(account.key, account.label)


def _named(account: Account) -> str:
    return f"{account.label} ({account.email})" if account.email else account.label
