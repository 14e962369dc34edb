"""`bind` and `unbind`: a block in the official client's own `.env`, for whoever starts it without our environment."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from certs.environment import Proxy, trusted_file
from certs.folder import BUNDLE_FILE
from cli.running import binding, leading
from cli.running.binding import CAREFUL, Answers, BindMode, BoundFiles, Rebinding
from cli.ui.options import AsJson, ProxyOption
from cli.ui.result import Result
from config import dotenv, paths

NEEDED_FROM_NOW_ON: Final = (
    "Without a running proxy the client cannot reach anything: run `codex-rotate unbind` before you give the proxy up."
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show the lines that would come and go.")]


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
    files = BoundFiles(
        file=paths.codex_dotenv_file(),
        ca_certificate=trusted_file(led.folder),
        bundle=led.folder / BUNDLE_FILE,
    )
    return bind(files, led.proxy, os.environ, binding.answers, BindMode(dry_run=dry_run, force=force))


def unbind_command(*, dry_run: DryRun = False, as_json: AsJson = False) -> Result:
    """Undo `bind`: $CODEX_HOME/.env is byte for byte what it was."""
    return unbind(paths.codex_dotenv_file(), dry_run=dry_run)


# --- working ---------------------------------------------------------------------------------------------------------


def bind(
    files: BoundFiles, proxy: Proxy, environ: Mapping[str, str], answers: Answers, mode: BindMode = CAREFUL
) -> Result:
    """Put the block in, or renew it. Raises what `binding.bind` raises."""
    done = binding.bind(files, proxy, environ, answers, mode)
    backup = str(done.backup) if done.backup else None
    data = _as_data(done, dry_run=mode.dry_run)
    data |= {"proxy": proxy.shown, "bundle": str(files.bundle), "backup": backup}
    if mode.dry_run:
        return Result(_difference(done), data, notes=done.notes)
    if not done.changed:
        return Result(
            f"Codex goes through {proxy.shown} already: {done.file} was left as it is.", data, notes=done.notes
        )
    kept = f" A copy of it as it was: {backup}." if backup else ""
    goes = f"Codex goes through {proxy.shown} from its next start on: {done.file}."
    return Result(f"{goes}{kept} {binding.RESTART} {NEEDED_FROM_NOW_ON}", data, notes=done.notes)


def unbind(file: Path, *, dry_run: bool = False) -> Result:
    """Take the block out. Raises what `binding.unbind` raises."""
    done = binding.unbind(file, dry_run=dry_run)
    return Result(_difference(done) if dry_run else binding.unbound(done), _as_data(done, dry_run=dry_run))


# --- showing ---------------------------------------------------------------------------------------------------------


def _difference(done: Rebinding) -> str:
    """Only lines of ours: the user's may be secrets, and stay as they are."""
    if not done.changed:
        return f"{done.file} would stay as it is."
    gone, come = _shown(done.before), _shown(done.after)
    head = f"{done.file} would be {'made' if done.before is None else 'removed' if done.after is None else 'changed'}:"
    return "\n".join([head, *(f"- {line}" for line in gone), *(f"+ {line}" for line in come)])


def _as_data(done: Rebinding, *, dry_run: bool) -> dict[str, object]:
    return {
        "file": str(done.file),
        "dry_run": dry_run,
        "changed": done.changed,
        "removed": _shown(done.before) if done.changed else [],
        "added": _shown(done.after) if done.changed else [],
    }


def _shown(content: bytes | None) -> list[str]:
    """The lines of our block, without the client key that may be in them."""
    return [re.sub(r"(//[^/@]*:)[^/@]*@", r"\1…@", line) for line in dotenv.block(content)]
