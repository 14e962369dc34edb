"""`why`: whom the proxy would choose now and what it did choose, with everything that decided."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from accounts.choice import quota
from accounts.choice.explanation import Candidate, Explanation
from accounts.choice.pool import Pool
from accounts.choice.quota import window_name
from accounts.choice.selection import Ask, Chosen, Exhausted, Policy, Rank, Strategy
from accounts.choice.threads import MOST_THREADS, Place
from accounts.errors import NoAccounts
from accounts.history import Decision, decisions
from accounts.model import Account, Affinity
from accounts.policy import stored_pool
from accounts.states import in_words
from accounts.store.store import EVENTS_KEPT, Store
from cli.commands.see.status import as_data
from cli.ui.bars import in_percent
from cli.ui.known_names import complete_thread
from cli.ui.lines import plain, terminal_width, wrapped
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock, paths
from config.local_time import clock_time

if TYPE_CHECKING:
    from config.settings import Settings

BEHIND: Final[Mapping[str, str]] = {
    "place": "the thread lives elsewhere",
    "unlisted": "its catalogue lacks the model",
    "priority": "its priority is lower",
    "crowded": "it was just given other threads whose account failed",
    "added_at": "it was added later",
    "key": "they are equal but for their names",
}
"""What keeps an account behind the one before it, by the field that decides. The other fields have words of their own
in `_traits`, or in BY_STRATEGY."""
BY_STRATEGY: Final[Mapping[Strategy, tuple[str, str]]] = {
    Strategy.BALANCED: (
        "it has the most left for the time until it resets",
        "less is left for the time until it resets",
    ),
    Strategy.DRAIN: ("its longest window resets soonest", "its longest window resets later"),
    Strategy.ROUND_ROBIN: ("it is its turn", "its turn comes later"),
}
"""What puts an account first, and what behind another one."""
WITHOUT: Final[Mapping[str, str]] = {
    "pinned": "Run `codex-rotate use --auto`, or unset `pinned_account`, to let others serve.",
    "compaction": "Wait, or set `on_foreign_compaction` to drop and lose that summary.",
    "reserved": "Lower the reserve of an account, or wait.",
    "model": "Use another model, or add an account of a larger plan.",
}
"""What to do about a rule of the pool that keeps everybody from serving."""
UNKNOWN_THREAD: Final = (
    "The pool knows no such thread and would place it like a new one. `codex-rotate why --last 20` names some that it "
    "has served."
)
NO_REQUEST: Final = (
    "The history has no such request: a proxy writes one down when it is over. Start a client with `codex-rotate run`."
)
ONLY_STORED: Final = "A running proxy also counts the requests that are in flight."
TURNS: Final = "Whose turn it is only a running proxy knows."


def add_to(app: typer.Typer) -> None:
    app.command("why")(why_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def why_command(
    *,
    thread: Annotated[
        str,
        typer.Option(
            "--thread", metavar="ID", help="About this conversation, not a new one.", autocompletion=complete_thread
        ),
    ] = "",
    last: Annotated[
        int,
        typer.Option(
            "--last", metavar="N", min=0, show_default=False, help="What was decided for the last N requests."
        ),
    ] = 0,
    as_json: AsJson = False,
) -> Result:
    """Show whom the proxy would choose now, account by account with the reasons, or with --last whom it did choose.

    With both, the last N requests of that conversation.
    """
    if last:
        with Store(paths.pool_file()) as store:
            found = decisions(store.events(EVENTS_KEPT))
            mine = [each for each in found if not thread or each.thread == thread]
            return replace(told(mine[:last], clock.now(), terminal_width()), notes=store.repairs)
    from config import settings  # late: pydantic

    in_force = settings.load()
    with Store(paths.pool_file()) as store:
        result = why(store, in_force, thread, clock.now())
        lines = (line for text in result.message.splitlines() for line in wrapped("", text, terminal_width(), 0))
        return replace(result, message="\n".join(lines), notes=store.repairs)


# --- working: what would be ------------------------------------------------------------------------------------------


def why(store: Store, settings: "Settings", thread: str, now: float) -> Result:
    """The choice for a request of this thread ("": a new one). Exit code 3 when nobody can serve. Raises NoAccounts."""
    pool = stored_pool(store, settings)
    if not pool.seats:
        raise NoAccounts
    earlier = [each for each in decisions(store.events(EVENTS_KEPT)) if thread and each.thread == thread]
    ask = Ask(thread=thread, model=next((each.record.model for each in earlier if each.record.model), ""))
    known = next((each for each in store.affinities(MOST_THREADS) if thread and each.thread == thread), None)
    found = pool.explain(ask, now)
    lines = [*_about_thread(pool, ask, known, now), _choice(pool, ask, found, now)]
    if isinstance(found.choice, Chosen) and sum(each.barred is None for each in found.candidates) > 1:
        lines += {Strategy.BALANCED: [ONLY_STORED], Strategy.ROUND_ROBIN: [TURNS]}.get(pool.policy.strategy, [])
    numbers = {account.key: number for number, account in enumerate(store.accounts(), 1)}
    return Result(
        "\n".join(lines),
        _data(pool, ask, found, numbers, now),
        exit_code=3 if isinstance(found.choice, Exhausted) else 0,
        table=_table(found, pool.policy, now),
    )


def _table(found: Explanation, policy: Policy, now: float) -> Table:
    rows, before = [], None
    for number, each in enumerate(found.candidates, 1):
        shown = (
            str(number) if each.rank else "-",
            plain(each.seat.account.label),
            _used(each, now),
            f"{each.score:.2f}" if each.rank else "",
            plain(_words(each, before, policy, now)),
        )
        rows.append(shown if policy.strategy is Strategy.BALANCED else (*shown[:3], shown[4]))
        before = each
    score = ("score",) if policy.strategy is Strategy.BALANCED else ()
    below = "account, used"
    narrow = Table(
        columns=("#", below, "why"),
        rows=tuple((number, "\n".join(filter(None, (label, used))), more[-1]) for number, label, used, *more in rows),
        clipped=frozenset({below}),
        wrapped=frozenset({"why"}),
    )
    return Table(
        columns=("#", "account", "used", *score, "why"),
        rows=tuple(rows),
        clipped=frozenset({"account"}),
        wrapped=frozenset({"why"}),
        narrow=narrow,
    )


def _words(each: Candidate, before: Candidate | None, policy: Policy, now: float) -> str:
    """Why an account is out, or behind the one before it, and what else is special about it."""
    if each.barred is not None:
        return f"cannot serve: {in_words(each.told, now)}"
    traits = _traits(each, policy, now)
    if each.rank is None or before is None or before.rank is None:
        return "; ".join(["first", *traits.values()])
    decides = next(name for name, one, other in zip(Rank._fields, before.rank, each.rank, strict=True) if one != other)
    behind = BEHIND.get(decides) or traits.pop(decides, "") or BY_STRATEGY[policy.strategy][1]
    return "; ".join([f"next: {behind}", *traits.values()])


def _traits(each: Candidate, policy: Policy, now: float) -> dict[str, str]:
    """What is special about an account that can serve, by the field of its rank."""
    rank, state = each.rank, in_words(each.told, now)
    assert rank is not None
    here = ("the thread lives here", "the thread is here while its home is away", "")
    found = {
        "tired": state if rank.tired else "",
        "deferred": state if rank.deferred and not rank.tired else "",
        "place": here[rank.place],
        "priority": f"priority {-rank.priority}" if rank.priority else "",
        "strategy": _drained(rank, now) if policy.strategy is Strategy.DRAIN else "",
    }
    return {field: words for field, words in found.items() if words}


def _drained(rank: Rank, now: float) -> str:
    return (
        f"resets {clock_time(rank.strategy, now)}"
        if math.isfinite(rank.strategy)
        else "says of no window when it resets"
    )


def _used(each: Candidate, now: float) -> str:
    """What is used of each window of the account's own limit."""
    main = [window for window in each.seat.windows if window.family == quota.MAIN]
    return ", ".join(f"{window_name(w.minutes)} {in_percent(quota.used(w, now)).strip()}" for w in main)


def _choice(pool: Pool, ask: Ask, found: Explanation, now: float) -> str:
    """The last word: who it is, or why nobody."""
    what = "This thread" if ask.thread else "A new thread"
    model = f", for {plain(ask.model)}," if ask.model else ""
    match found.choice:
        case Chosen(account=account, why=why):
            reason = BY_STRATEGY[pool.policy.strategy][0] if why.startswith("strategy") else why
            return f"{what}{model} would go to {plain(account.label)}: {reason}.{_in_vain(account, found, now)}"
        case Exhausted(rule=rule, resets_at=resets_at):
            pin = pool.policy.pin
            gone = (
                f" {plain(pin)}, the only account that may, is not in the pool." if pin not in {"", *pool.seats} else ""
            )
            if rule in WITHOUT:
                return f"Nobody could serve {what.lower()}{model} now.{gone} {WITHOUT[rule]}"
            if resets_at is not None:
                back = clock_time(resets_at, now)
                return f"Nobody could serve {what.lower()}{model} now. Wait: the first account is back at {back}."
            return f"Nobody could serve {what.lower()}{model} now. Run `codex-rotate list` to see what each one needs."


def _in_vain(account: Account, found: Explanation, now: float) -> str:
    """What to expect of an account that is chosen although it has little chance: nobody has a better one."""
    told = next(each.told for each in found.candidates if each.seat.account.key == account.key)
    return "" if told.serves else f" The provider will hardly serve it: {in_words(told, now)}."


def _about_thread(pool: Pool, ask: Ask, known: Affinity | None, now: float) -> list[str]:
    """Where a thread lives, where it is, and who can read its past."""
    if not ask.thread:
        return []
    place = pool.place(ask.thread, now)
    if known is None:
        return [UNKNOWN_THREAD]
    used = f"It was last used at {clock_time(known.used_at, now)}"
    lives = f"and lives on {_named(pool, place.home)}" if place.home else "which is so long ago that it is placed anew"
    lines = [f"{used}, {lives}."]
    if place.detour:
        since = clock_time(known.detoured_at, now)
        lines.append(f"{_named(pool, place.detour)} has served it since {since}, while its home is away.")
    if place.owner:
        lines.append(f"{_named(pool, place.owner)} summarised its past, and no other account can read that summary.")
    return lines


def _named(pool: Pool, key: str) -> str:
    return plain(pool.seats[key].account.label) if key in pool.seats else "an account that is gone"


# --- working: for programs -------------------------------------------------------------------------------------------


def _data(pool: Pool, ask: Ask, found: Explanation, numbers: Mapping[str, int], now: float) -> dict[str, object]:
    def label(key: str) -> str | None:
        return pool.seats[key].account.label if key in pool.seats else None

    place, policy = pool.place(ask.thread, now), pool.policy
    return {
        "thread": ask.thread or None,
        "model": ask.model or None,
        "place": {name: label(key) for name, key in asdict(place).items()} if place != Place() else None,
        "policy": {
            "strategy": str(policy.strategy),
            "only": label(policy.pin) or policy.pin or None,
            "defer_percent": policy.defer_percent,
            "drop_compaction": policy.drop_compaction,
        },
        "choice": _choice_data(found.choice),
        "candidates": [_candidate_data(each, numbers, now) for each in found.candidates],
    }


def _choice_data(choice: Chosen | Exhausted) -> dict[str, object]:
    if isinstance(choice, Chosen):
        return {"account": choice.account.label, "why": choice.why}
    return {
        "account": None,
        "resets_at": choice.resets_at,
        "limited": choice.limited,
        "rule": choice.rule or None,
        "reasons": dict(choice.reasons),
    }


def _candidate_data(each: Candidate, numbers: Mapping[str, int], now: float) -> dict[str, object]:
    barred, seat = each.barred, each.seat
    return {
        "number": numbers.get(seat.account.key),
        "account": seat.account.label,
        "plan": seat.account.plan,
        "state": str(each.told.state),
        "state_in_words": in_words(each.told, now),
        "barred": {"by": str(barred.bar), "text": barred.text, "until": barred.until} if barred else None,
        "rank": {name: _finite(value) for name, value in each.rank._asdict().items()} if each.rank else None,
        "score": each.score,
        "cooldown": asdict(seat.cooldown) if seat.cooldown else None,
        "windows": [asdict(window) for window in seat.windows],
        "refused_models": sorted(seat.refuses),
    }


def _finite(value: object) -> object:
    """JSON has no infinity: what never comes is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- working: what was -----------------------------------------------------------------------------------------------


def told(found: Sequence[Decision], now: float, width: int) -> Result:
    """What was decided for these requests, the newest first."""
    if not found:
        return Result(NO_REQUEST, {"requests": []})
    lines = [line for each in found for line in _request(each, now, width)]
    return Result("\n".join(lines), {"requests": [as_data(each) for each in found]})


def _request(each: Decision, now: float, width: int) -> list[str]:
    record = each.record
    parts = (
        clock_time(each.at, now),
        plain(record.model),
        f"{plain(record.done)} after {record.seconds:.1f} s",
        f"thread {plain(each.thread)}" if each.thread else "",
    )
    lines = wrapped("", "  ".join(filter(None, parts)), width, 7)
    for number, attempt in enumerate(record.attempts, 1):
        said = f" ({attempt.detail})" if attempt.detail else ""
        outcome = f"{attempt.kind.replace('_', ' ')}{said} after {attempt.seconds:.1f} s"
        text = plain(f"{attempt.account}, because {attempt.why}: {outcome}", 600)
        lines += wrapped(f"  {number}  ", text, width, 5)
    return lines
