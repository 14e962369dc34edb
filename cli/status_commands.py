"""`status` and `script`: how the pool is doing, and where the proxy's script lies."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import typer

from accounts.errors import RotateError
from accounts.model import Account, Event
from accounts.store import Store
from accounts.sync import shown_counters
from accounts.turn import DECISION, read_record
from cli.accounts_commands import EMPTY
from cli.options import AsJson
from cli.result import Result
from cli.states import State, clock_time, tell
from config import clock, paths

EVENTS_SHOWN = 5
SCRIPT = "rotate.py"


def add_to(app: typer.Typer) -> None:
    app.command("status")(status_command)
    app.command("script")(script_command)


def status_command(*, as_json: AsJson = False) -> Result:
    """Show how the pool is doing: accounts by state, the next reset, what happened last."""
    from config import settings  # late: pydantic

    backend = settings.load().chatgpt_base_url
    with Store(paths.pool_file()) as store:
        return replace(status(store, paths.home(), backend, clock.now()), notes=store.repairs)


def script_command(*, as_json: AsJson = False) -> Result:
    """Print where the proxy's script lies, for `mitmdump -s "$(codex-rotate script)"`."""
    return script(Path(__file__).resolve().parent.parent)


def status(store: Store, home: Path, backend: str, now: float) -> Result:
    """The pool in a few lines. Exit code 3 when no account could serve a request now."""
    accounts, cooldowns = store.accounts(), store.cooldowns()
    told = {each.key: tell(each, cooldowns.get(each.key), now) for each in accounts}
    counts = Counter(each.state for each in told.values())
    resets = sorted((each.until, key) for key, each in told.items() if each.until is not None)
    events = store.events(EVENTS_SHOWN)
    labels = {each.key: each.label for each in accounts}
    by_state = ", ".join(f"{counts[state]} {state.replace('_', ' ')}" for state in State if counts[state])
    lines = [f"Home        {home}", f"Backend     {backend}", f"Accounts    {by_state or 'none'}"]
    if resets:
        until, key = resets[0]
        lines.append(f"Next reset  {clock_time(until, now)} ({labels[key]})")
    lines += [f"{'Recently' if n == 0 else '':<12}{_event(each, labels, now)}" for n, each in enumerate(events)]
    if not counts[State.READY]:
        lines.append(_way_out(accounts, bool(resets)))
    data = {
        "home": str(home),
        "backend": backend,
        "accounts": {str(state): counts[state] for state in State},
        "next_reset": resets[0][0] if resets else None,
        "events": [
            {"at": e.at, "kind": e.kind, "account": labels.get(e.key), "thread": e.thread, "detail": e.detail}
            for e in events
        ],
        "counters": shown_counters(store.counters()),
    }
    return Result("\n".join(lines), data, exit_code=0 if counts[State.READY] else 3)


def script(root: Path) -> Result:
    """The proxy's script under `root`, the folder that holds this program."""
    path = root / SCRIPT
    if not path.is_file():
        raise RotateError(f"{path} is missing, so the installation is not complete. Install codex-rotate again.")
    return Result(str(path), data={"script": str(path)})


def _event(event: Event, labels: Mapping[str, str], now: float) -> str:
    if event.kind == DECISION:
        return f"{clock_time(event.at, now)}  {_decision(event)}"
    parts = (clock_time(event.at, now), event.kind.replace("_", " "), labels.get(event.key, ""), event.detail)
    return "  ".join(filter(None, parts))


def _decision(event: Event) -> str:
    """How a request was served, from account to account."""
    told = read_record(event)
    went = " → ".join(f"{each.account} {each.kind.replace('_', ' ')}" for each in told.attempts) or "nobody was asked"
    model = f" for {told.model}" if told.model else ""
    return f"request{model}: {went}; {told.done} after {told.seconds:.1f} s"


def _way_out(accounts: Sequence[Account], resting: bool) -> str:
    if not accounts:
        return EMPTY
    if resting:
        return "No account is ready. Wait for the next reset, or import another account."
    return "No account is ready, and none will be by itself. Run `codex-rotate list` to see what each one needs."
