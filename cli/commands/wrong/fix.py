"""`fix`: mend what can be mended without losing anything: files, the CA, what dead proxies left, and rests of accounts
that are over."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from accounts.owner.rests import StaleRest, end_rest, stale_rests
from accounts.policy import stored_states
from accounts.states import State
from accounts.store.store import Store
from cli.ui.lines import terminal_width, wrapped
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths

if TYPE_CHECKING:
    from accounts.provider.checking import Checked
    from cli.doctor.fixes import Repair

LEFT: Final = "`codex-rotate doctor` says what is left to a person, and tries a request."
ASKED_ABOUT: Final = frozenset({State.RESTING, State.SPENT, State.NEEDS_LOGIN, State.CLOSED})


def add_to(app: typer.Typer) -> None:
    app.command("fix")(fix_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def fix_command(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be mended.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the provider about accounts that do not serve, and believe the answer.")
    ] = False,
    as_json: AsJson = False,
) -> Result:
    """Mend what can be mended without losing anything, and say what was done. No login is touched without --live.

    The same as `doctor --fix`, without its look at everything else, and rests of accounts that are over.
    """
    from cli.doctor import (
        checks,
        fixes,  # late: they know about everything
    )

    now = clock.now()
    facts = checks.look(os.environ, now)
    repairs = fixes.due(facts)
    troubles = [each for each in (facts.storage.trouble, facts.storage.settings_trouble) if each]
    asked: list[Checked] = []
    if not facts.storage.there or facts.storage.trouble:
        done, failed = ([], []) if dry_run else fixes.mend(repairs)
        return _told(repairs, done, [*failed, *troubles], asked, dry_run=dry_run)
    with Store(paths.pool_file()) as store:
        repairs += rests(store, now)
        done, failed = ([], []) if dry_run else fixes.mend(repairs)
        if live and not facts.storage.settings_trouble:
            asked, unsaved = _ask(store, now, dry_run=dry_run, quiet=as_json)
            failed += unsaved
        result = _told(repairs, done, [*failed, *troubles], asked, dry_run=dry_run)
        return replace(result, notes=(*store.repairs, *result.notes))


def _ask(store: Store, now: float, *, dry_run: bool, quiet: bool) -> tuple[list["Checked"], tuple[str, ...]]:
    """About the accounts that do not serve, the paused ones apart."""
    from cli.running.provider import ask_provider

    told = stored_states(store, now)
    wanted = [each for each in store.accounts() if told[each.key].state in ASKED_ABOUT]
    return ask_provider(store, wanted, dry_run=dry_run, quiet=quiet) if wanted else ([], ())


# --- working ---------------------------------------------------------------------------------------------------------


def rests(store: Store, now: float) -> Iterator["Repair"]:
    """Rests that have ended, and those of a limit that is not reached any more."""
    from cli.doctor.fixes import Repair

    for each in stale_rests(store, now):
        what = f"{each.account.label} would be free of its rest ({_reason(each)}): {each.why}."
        yield Repair(what, partial(_free, store, each))


def _free(store: Store, stale: StaleRest) -> str:
    if not end_rest(store, stale.account, stale.rest, stale.why, clock.now()):
        return ""
    return f"{stale.account.label} is free of its rest ({_reason(stale)}): {stale.why}."


def _reason(stale: StaleRest) -> str:
    return stale.rest.reason.replace("_", " ")


# --- showing ---------------------------------------------------------------------------------------------------------


def _told(
    repairs: Sequence["Repair"],
    done: Sequence[str],
    failed: Sequence[str],
    asked: Sequence["Checked"],
    *,
    dry_run: bool,
) -> Result:
    """Exit code 1 when something could not be mended."""
    would = [each.what for each in repairs] if dry_run else []
    lines = [f"Mended: {each}" for each in done] + would
    if asked:
        from accounts.provider.checking import hints

        lines += [f"Asked about {each.account.label}: {_answer(each, dry_run=dry_run)}" for each in asked]
        lines += hints(asked)
    if not lines:
        lines = ["Nothing that can be mended by itself was found."]
    width = terminal_width()
    data: Mapping[str, object] = {
        "dry_run": dry_run,
        "would": would,
        "fixed": list(done),
        "not_fixed": list(failed),
        "asked": [_asked_data(each) for each in asked],
    }
    message = "\n".join(line for each in [*lines, LEFT] for line in wrapped("", each, width))
    return Result(message, data, exit_code=1 if failed else 0, notes=tuple(failed))


def _answer(checked: "Checked", *, dry_run: bool) -> str:
    from accounts.provider.checking import detail, in_words

    said = f" ({detail(checked)})" if detail(checked) else ""
    now = " It serves again." if checked.freed else " Nothing was changed." if dry_run else ""
    return f"{in_words(checked, clock.now())}{said}.{now}"


def _asked_data(checked: "Checked") -> dict[str, object]:
    from cli.ui.checked import as_data

    return as_data(checked) | {"rest_ended": checked.freed}
