"""`check`: ask the provider about accounts now, so that what the pool thinks of them is true."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from accounts.choice import quota
from accounts.choice.quota import Window, window_name
from accounts.owner.names import chosen_of
from accounts.provider.asking import get_over_http
from accounts.provider.checking import Checked, detail, hints, in_words
from accounts.provider.models import asks_for_models
from accounts.provider.usage import Verdict
from accounts.store.store import Store
from cli.running.provider import ask_provider
from cli.ui.bars import in_percent
from cli.ui.checked import as_data, exit_code
from cli.ui.known_names import complete_account
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock, paths


def add_to(app: typer.Typer) -> None:
    app.command("check")(check_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def check_command(
    account: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ACCOUNT]...", help="Which; default: all.", autocompletion=complete_account),
    ] = None,
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask where an account's model requests go, for the list of models.")
    ] = False,
    as_json: AsJson = False,
) -> Result:
    """Ask the provider how accounts are doing now. Spends no quota.

    What an answer corrects is corrected: an account that can be used again serves again, a rest that is over before its
    time ends, and what of each quota window is used is stored for `list`, `forecast` and the proxy. With --live, each
    account is also asked for the list of models, the one request on the way of the model requests that costs nothing.
    """
    from config import settings  # late: msgspec

    base_url = settings.load().chatgpt_base_url
    with Store(paths.pool_file()) as store:
        chosen = chosen_of(store.accounts(), account or [])
        further = asks_for_models(base_url, get_over_http) if live else None
        checked, unsaved = ask_provider(store, chosen, quiet=as_json, further=further)
        return replace(told(checked), notes=(*store.repairs, *unsaved))


# --- working ---------------------------------------------------------------------------------------------------------


def told(checked: Sequence[Checked]) -> Result:
    """One row per account. Exit code 0: all can be used, 1: some cannot, 3: none can."""
    now = clock.now()
    rows = tuple((c.account.label, in_words(c, now), used(c.finding.windows), _detail(c)) for c in checked)
    table = Table(
        columns=("label", "state", "used", "detail"),
        rows=rows,
        clipped=frozenset({"label"}),
        wrapped=frozenset({"detail"}),
    )
    data = [as_data(c) | {"rest_ended": c.freed, "windows": windows_data(c.finding.windows)} for c in checked]
    usable = sum(c.finding.verdict is Verdict.USABLE for c in checked)
    summary = f"{usable} of {len(checked)} accounts can be used."
    return Result("\n".join([summary, *hints(checked)]), data=data, exit_code=exit_code(checked), table=table)


def used(windows: Sequence[Window]) -> str:
    """The account's own windows, as a table cell."""
    own = (each for each in windows if each.family == quota.MAIN)
    return ", ".join(f"{window_name(each.minutes)} {in_percent(each.used_percent).strip()}" for each in own)


def windows_data(found: Sequence[Window]) -> list[dict[str, object]]:
    return [
        {"family": w.family, "minutes": w.minutes, "used_percent": w.used_percent, "resets_at": w.resets_at}
        for w in found
    ]


def _detail(checked: Checked) -> str:
    return ", ".join(filter(None, (detail(checked), "serves again: its rest was over" if checked.freed else "")))
