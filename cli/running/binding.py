"""The block in the official client's own `.env` that leads it to a proxy: put in, taken out, and where it leads."""

import itertools
import os
import shutil
import socket
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from accounts.errors import UsageError
from certs.bundles import bundle, find_roots, write_bundle
from certs.environment import (
    BadProxyAddress,
    Proxy,
    bypasses,
    durable_environment,
    no_proxy_of,
    proxy_at,
    read_trusted,
)
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
class BoundFiles:
    """Which files this is about: the client's, what is trusted of the authority, and the bundle that is made of it."""

    file: Path
    ca_certificate: Path
    bundle: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BindMode:
    """How far to go."""

    dry_run: bool = False
    force: bool = False


CAREFUL: Final = BindMode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebinding:
    """What was done to the client's file, or would be: its content `before` and `after`, None for no file. `backup` is
    the copy that was made of it, `notes` what undoes all of this."""

    file: Path
    before: bytes | None = field(repr=False)
    after: bytes | None = field(repr=False)
    backup: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return self.before != self.after


def answers(proxy: Proxy) -> bool:
    """Whether something listens there. What it is shows only when the client uses it."""
    try:
        with socket.create_connection((proxy.host, proxy.port), timeout=ANSWER_SECONDS):
            return True
    except OSError:
        return False


# --- there and back --------------------------------------------------------------------------------------------------


def bind(
    files: BoundFiles, proxy: Proxy, environ: Mapping[str, str], answers: Answers, mode: BindMode = CAREFUL
) -> Rebinding:
    """Put the block in, or renew it. Raises CannotBind, UsageError, and what certs/bundles.py raises."""
    file = files.file
    trusted = read_trusted(files.ca_certificate)
    before = read(file)
    own = _own_part(file, before)
    taken = [each for each in own if each.name.upper() in OURS_ALONE]
    if taken and not mode.force:
        raise UsersOwn(file, taken)
    users = [each.value for each in own if each.name.upper() == "NO_PROXY"]
    no_proxy = users[-1] if users else no_proxy_of(environ)
    try:
        after = dotenv.bind(before, durable_environment(proxy.url, files.bundle, no_proxy))
    except dotenv.Unwritable as e:
        raise UsageError(f"{e}. Nothing was changed. Use another folder, or another NO_PROXY.") from e
    if not mode.force and not answers(proxy):
        raise ProxyDoesNotAnswer(proxy)
    together = bundle(trusted, find_roots(environ))
    backup = None
    if not mode.dry_run:
        write_bundle(files.bundle, together)
        if after != before:
            backup = _copy_beside(file, before) if not dotenv.block(before) else None
            write(file, before, after, private=proxy.has_key)
    return Rebinding(file=file, before=before, after=after, backup=backup, notes=bypass_notes(no_proxy))


def unbind(file: Path, *, dry_run: bool = False) -> Rebinding:
    """Take the block out. The copy that `bind` made goes too, if it says nothing that the file does not say. Raises
    Damaged or FileUnusable."""
    before = read(file)
    try:
        after = dotenv.unbind(before)
    except dotenv.DamagedBlock as e:
        raise Damaged(file, e) from e
    if after != before and not dry_run:
        write(file, before, after)
        _drop_copies(file, after)
    return Rebinding(file=file, before=before, after=after)


def unbound(done: Rebinding) -> str:
    """What was undone, as a sentence."""
    if not done.changed:
        return f"Codex was not bound: {done.file} has no block of codex-rotate and was left as it is."
    what = "is gone, as it was before" if done.after is None else "is what it was before"
    return f"Codex is no longer bound: {done.file} {what}. {RESTART}"


# --- where it leads --------------------------------------------------------------------------------------------------


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


def bypass_notes(no_proxy: str) -> tuple[str, ...]:
    """One sentence if the user's own NO_PROXY undoes all of this."""
    names = ", ".join(bypasses(no_proxy))
    if not names:
        return ()
    return (f"NO_PROXY has {names}, so the client goes past the proxy. Take that out of NO_PROXY.",)
