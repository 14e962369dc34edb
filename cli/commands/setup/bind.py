"""`bind` and `unbind`: a block in the official client's own `.env`, for whoever starts it without our environment."""

import itertools
import os
import re
import shutil
import socket
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Final

import typer

from accounts.errors import UsageError
from certs.bundles import bundle, find_roots, write_bundle
from certs.environment import (
    BadProxyAddress,
    Proxy,
    durable_environment,
    no_proxy_of,
    proxy_at,
    read_trusted,
    trusted_file,
)
from certs.folder import BUNDLE_FILE
from cli.commands.setup.env import ProxyOption, bypass_notes
from cli.running import leading
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import dotenv, paths
from config.errors import RotateError
from config.files import write_private
from config.network.hosts import is_loopback

ANSWER_SECONDS: Final = 1.0
OURS_ALONE: Final = frozenset({"HTTPS_PROXY", "SSL_CERT_FILE"})
"""What can be led to one place only. NO_PROXY is a list and is merged instead."""
RESTART: Final = (
    "Restart the clients that run, the IDE and the desktop app included; `codex app-server daemon stop` ends the one "
    "that the client keeps in the background."
)
NEEDED_FROM_NOW_ON: Final = (
    "Without a running proxy the client cannot reach anything: run `codex-rotate unbind` before you give the proxy up."
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show the lines that would come and go.")]

type Answers = Callable[[Proxy], bool]


class CannotBind(RotateError):
    """The file is as it was, and so is everything else."""


class ProxyDoesNotAnswer(CannotBind):
    def __init__(self, proxy: Proxy) -> None:
        super().__init__(
            f"No proxy answers at {proxy.host} port {proxy.port}, and bound to it the client could not reach anything. "
            "Nothing was changed. Start the proxy (`codex-rotate serve`), or add --force."
        )


class UsersOwn(CannotBind):
    def __init__(self, file: Path, found: list[dotenv.Assignment]) -> None:
        where = ", ".join(f"line {each.line} sets {each.name}" for each in found)
        super().__init__(
            f"{file} has settings of your own that the block would override: {where}. Nothing was changed. Take "
            "them out, or add --force."
        )


class Damaged(CannotBind):
    def __init__(self, file: Path, damage: dotenv.DamagedBlock) -> None:
        super().__init__(
            f"{file}, line {damage.line}: {damage.trouble}, so what was there before cannot be told. Nothing was "
            "changed. Take the lines of codex-rotate out by hand and run the command again."
        )


class OpenQuote(CannotBind):
    def __init__(self, file: Path, line: int) -> None:
        super().__init__(
            f"{file}, line {line}: a quote is never closed, so the client would take our lines for its rest. Nothing "
            "was changed. Close the quote and run the command again."
        )


class FileUnusable(CannotBind):
    def __init__(self, file: Path, trouble: str) -> None:
        super().__init__(
            f"{file} cannot be used ({trouble}). It was left as it is. Check who may read and write it and its folder "
            "and that the disk has room, then run the command again."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Which files this is about: the client's, what is trusted of the authority, and the bundle that is made of it."""

    file: Path
    ca_certificate: Path
    bundle: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How far to go."""

    dry_run: bool = False
    force: bool = False


def add_to(app: typer.Typer) -> None:
    app.command("bind")(bind_command)
    app.command("unbind")(unbind_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def bind_command(
    *,
    proxy: ProxyOption = "",
    dry_run: DryRun = False,
    force: Annotated[
        bool, typer.Option("--force", help="Even if no proxy answers, or the file has a proxy or a bundle already.")
    ] = False,
    as_json: AsJson = False,
) -> Result:
    """Lead every Codex of this user through the proxy, the IDE and the desktop app too. Writes $CODEX_HOME/.env."""
    led = leading.led_to(proxy, force=force) if proxy else leading.led(stays=True)
    places = Places(
        file=paths.codex_dotenv_file(),
        ca_certificate=trusted_file(led.folder),
        bundle=led.folder / BUNDLE_FILE,
    )
    return bind(places, led.proxy, os.environ, answers, Mode(dry_run=dry_run, force=force))


def unbind_command(*, dry_run: DryRun = False, as_json: AsJson = False) -> Result:
    """Undo `bind`: $CODEX_HOME/.env is byte for byte what it was."""
    return unbind(paths.codex_dotenv_file(), dry_run=dry_run)


def answers(proxy: Proxy) -> bool:
    """Whether something listens there. What it is shows only when the client uses it."""
    try:
        with socket.create_connection((proxy.host, proxy.port), timeout=ANSWER_SECONDS):
            return True
    except OSError:
        return False


# --- working ---------------------------------------------------------------------------------------------------------


def bind(places: Places, proxy: Proxy, environ: Mapping[str, str], answers: Answers, mode: Mode = Mode()) -> Result:
    """Put the block in, or renew it."""
    file = places.file
    trusted = read_trusted(places.ca_certificate)
    before = read(file)
    own = _own_part(file, before)
    taken = [each for each in own if each.name.upper() in OURS_ALONE]
    if taken and not mode.force:
        raise UsersOwn(file, taken)
    users = [each.value for each in own if each.name.upper() == "NO_PROXY"]
    no_proxy = users[-1] if users else no_proxy_of(environ)
    try:
        after = dotenv.bind(before, durable_environment(proxy.url, places.bundle, no_proxy))
    except dotenv.Unwritable as e:
        raise UsageError(f"{e}. Nothing was changed. Use another folder, or another NO_PROXY.") from e
    if not mode.force and not answers(proxy):
        raise ProxyDoesNotAnswer(proxy)
    together = bundle(trusted, find_roots(environ))
    backup = None
    if not mode.dry_run:
        write_bundle(places.bundle, together)
        if after != before:
            backup = _copy_beside(file, before) if not dotenv.block(before) else None
            write(file, before, after, private=proxy.has_key)
    notes = bypass_notes(no_proxy)
    data = _as_data(file, before, after, mode)
    data |= {"proxy": proxy.shown, "bundle": str(places.bundle), "backup": str(backup) if backup else None}
    if mode.dry_run:
        return Result(_difference(file, before, after), data, notes=notes)
    if after == before:
        return Result(f"Codex goes through {proxy.shown} already: {file} was left as it is.", data, notes=notes)
    kept = f" A copy of it as it was: {backup}." if backup else ""
    message = f"Codex goes through {proxy.shown} from its next start on: {file}.{kept} {RESTART} {NEEDED_FROM_NOW_ON}"
    return Result(message, data, notes=notes)


def unbind(file: Path, *, dry_run: bool = False) -> Result:
    """Take the block out. The copy that `bind` made goes too, if it says nothing that the file does not say."""
    before = read(file)
    try:
        after = dotenv.unbind(before)
    except dotenv.DamagedBlock as e:
        raise Damaged(file, e) from e
    data = _as_data(file, before, after, Mode(dry_run=dry_run))
    if dry_run:
        return Result(_difference(file, before, after), data)
    if after == before:
        return Result(f"Codex was not bound: {file} has no block of codex-rotate and was left as it is.", data)
    write(file, before, after)
    _drop_copies(file, after)
    what = "is gone, as it was before" if after is None else "is what it was before"
    return Result(f"Codex is no longer bound: {file} {what}. {RESTART}", data)


def bound_to(file: Path) -> Proxy | None:
    """Where the block in the client's file leads; None without a block that the client would follow."""
    try:
        given = dotenv.block_values(read(file)).get("HTTPS_PROXY")
        return proxy_at(given) if given else None
    except (dotenv.DamagedBlock, FileUnusable, BadProxyAddress):
        return None


def stranded_notes(file: Path, host: str, port: int, answers: Answers) -> tuple[str, ...]:
    """One sentence if clients are bound to the proxy that has just ended there, and nothing took its place."""
    proxy = bound_to(file)
    if proxy is None or proxy.port != port or not _same_host(proxy.host, host) or answers(proxy):
        return ()
    note = (
        f"{file} leads every Codex of this user to {proxy.host} port {port}, where no proxy is now: none of them can "
        "reach anything until one runs there again. Run `codex-rotate serve` again, or `codex-rotate unbind`."
    )
    return (note,)


def _same_host(named: str, listened: str) -> bool:
    """Whether whoever goes to the one comes to the other, which may be every address of this machine."""
    everywhere = listened in {"::", str(IPv4Address(0))}
    return named == listened or (is_loopback(named) and (everywhere or is_loopback(listened)))


def _own_part(file: Path, content: bytes | None) -> list[dotenv.Assignment]:
    try:
        line = dotenv.open_quote(content)
        own = dotenv.assignments(content)
    except dotenv.DamagedBlock as e:
        raise Damaged(file, e) from e
    if line is not None:
        raise OpenQuote(file, line)
    return own


# --- showing ---------------------------------------------------------------------------------------------------------


def _difference(file: Path, before: bytes | None, after: bytes | None) -> str:
    """Only lines of ours: the user's may be secrets, and stay as they are."""
    if before == after:
        return f"{file} would stay as it is."
    gone, come = _shown(before), _shown(after)
    head = f"{file} would be {'made' if before is None else 'removed' if after is None else 'changed'}:"
    return "\n".join([head, *(f"- {line}" for line in gone), *(f"+ {line}" for line in come)])


def _as_data(file: Path, before: bytes | None, after: bytes | None, mode: Mode) -> dict[str, object]:
    changed = before != after
    return {
        "file": str(file),
        "dry_run": mode.dry_run,
        "changed": changed,
        "removed": _shown(before) if changed else [],
        "added": _shown(after) if changed else [],
    }


def _shown(content: bytes | None) -> list[str]:
    """The lines of our block, without the client key that may be in them."""
    return [re.sub(r"(//[^/@]*:)[^/@]*@", r"\1…@", line) for line in dotenv.block(content)]


# --- files -----------------------------------------------------------------------------------------------------------


def read(file: Path) -> bytes | None:
    """What is there, None for nothing. Raises FileUnusable."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a pipe would be waited for
            raise FileUnusable(file, "it is not an ordinary file")
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise FileUnusable(file, e.strerror or str(e)) from e


def write(file: Path, before: bytes | None, after: bytes | None, *, private: bool = False) -> None:
    """Replace what was read as `before`, as a whole or not at all; a link stays one. `private` closes it to others.

    Raises FileUnusable.
    """
    target = Path(os.path.realpath(file))
    try:
        if after is None:
            _unchanged(file, before)
            target.unlink()
            return
        target.parent.mkdir(mode=paths.PRIVATE_FOLDER, parents=True, exist_ok=True)

        def last(written: Path) -> None:
            if before is not None and not private:
                shutil.copymode(target, written)
            _unchanged(file, before)

        write_private(target, after, last)
    except OSError as e:
        raise FileUnusable(file, e.strerror or str(e)) from e


def _unchanged(file: Path, before: bytes | None) -> None:
    if read(file) != before:
        raise FileUnusable(file, "another program has just changed it")


def _copy_beside(file: Path, content: bytes | None) -> Path | None:
    """Keep the file as it was, under a name that is free or has the very same content already."""
    if content is None:
        return None
    for copy in _copies(file):
        kept = read(copy)
        if kept == content:
            return copy
        if kept is None:
            write(copy, None, content)
            with suppress(OSError):
                shutil.copymode(file, copy)
            return copy
    return None


def _drop_copies(file: Path, content: bytes | None) -> None:
    for copy in _copies(file):
        kept = read(copy)
        if kept is None:
            return
        if kept == content:
            with suppress(OSError):
                copy.unlink()


def _copies(file: Path) -> list[Path]:
    names = itertools.chain([""], (f"-{number}" for number in range(2, 100)))
    return [file.with_name(f"{file.name}.before-codex-rotate{end}") for end in names]
