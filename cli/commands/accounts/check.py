"""`check`: ask the provider about accounts now, so that what the pool thinks of them is true."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

import typer

from accounts import origin, verify
from accounts.choice import quota
from accounts.choice.outcomes import Reply, classify, error_of
from accounts.choice.quota import Window, window_name
from accounts.model import Account, Credentials
from accounts.store.store import Store
from accounts.verify import Answer, Finding, Verdict
from cli.commands.accounts.verify import (
    Checked,
    Further,
    Get,
    as_data,
    ask_provider,
    chosen_of,
    detail,
    exit_code,
    get_over_http,
    hints,
    in_words,
)
from cli.ui.bars import in_percent
from cli.ui.known_names import complete_account
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock, paths, version

CATALOGUE: Final = "codex/models"


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
    from config import settings  # late: pydantic

    base_url = settings.load().chatgpt_base_url
    with Store(paths.pool_file()) as store:
        chosen = chosen_of(store.accounts(), account or [])
        further = asks_for_models(base_url, get_over_http) if live else None
        checked, unsaved = ask_provider(store, chosen, quiet=as_json, further=further)
        return replace(told(checked), notes=(*store.repairs, *unsaved))


# --- working ---------------------------------------------------------------------------------------------------------


def asks_for_models(base_url: str, get: Get) -> Further:
    """A closer look: at the way that an account's model requests take. What goes wrong there says nothing of its login,
    so the account is neither marked nor freed."""

    def ask(account: Account, credentials: Credentials, finding: Finding) -> Finding:
        try:
            answer = get(models_url(base_url, account), verify.headers(account, credentials))
        except (OSError, ValueError) as e:
            return replace(finding, verdict=Verdict.UNKNOWN, detail=f"its models: {e}")
        said = read_models(answer)
        return replace(finding, verdict=Verdict.UNKNOWN, detail=f"its models: {said}") if said else finding

    return ask


def models_url(base_url: str, account: Account) -> str:
    """Where this account's models are: at its own host, unless our calls are led elsewhere by the settings. Raises
    ValueError for an account whose host is not the provider's."""
    host = origin.host_of(account)
    own = base_url.replace(f"https://{origin.HOME_HOST}/", f"https://{host}/", 1)
    return f"{own.rstrip('/')}/{CATALOGUE}?client_version={version.CLIENT}"


def read_models(answer: Answer) -> str:
    """What is wrong with the answer, "" for nothing."""
    try:
        payload = json.loads(answer.body)
    except (ValueError, RecursionError):
        payload = None
    if answer.status == 200:
        return "" if isinstance(payload, dict) and isinstance(payload.get("models"), list) else "200, but no list"
    return classify(Reply(status=answer.status, headers=answer.headers, error=error_of(payload)), 0.0).detail


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
